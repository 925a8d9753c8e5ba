"""Prompt templates as text: parsing and rendering, the same for validation, preview and runs."""

from __future__ import annotations

from promptstudio_lab.rendering.plain import MAX_TEXT, parse, render, variables

__all__ = ["MAX_TEXT", "parse", "render", "variables"]
