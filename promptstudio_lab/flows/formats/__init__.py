"""Flows as text: Python, JSON, YAML and Mermaid. Reading one never executes anything."""
