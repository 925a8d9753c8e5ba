"""Forks of flows: where they came from, and the way back, change by change."""
