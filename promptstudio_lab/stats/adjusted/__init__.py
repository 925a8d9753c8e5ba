"""Sharper comparisons: what is known before the treatment explains part of the spread."""
