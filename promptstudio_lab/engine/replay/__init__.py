"""Runs that go on after an interruption, and runs that are repeated."""
