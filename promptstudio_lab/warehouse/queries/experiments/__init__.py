"""Experiments in SQL: who met what, what each unit adds up to, and the sums of reports."""
