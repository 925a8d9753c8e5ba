"""Judging the judges: agreement, error, position bias, and scores from pairwise verdicts."""
