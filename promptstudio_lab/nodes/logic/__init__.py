"""Branches, repetition and small changes of values."""
