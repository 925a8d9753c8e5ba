"""Datasets: named rows for running and comparing flows."""
