"""Experiments in a notebook: on a dataset, on the users who come, or on somebody's frame."""
