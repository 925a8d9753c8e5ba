"""Prompt templates: found by path, versioned by content, never changed."""
