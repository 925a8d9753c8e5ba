"""Graphs to look at and to select in: flows, runs, experiments and what came of what."""
