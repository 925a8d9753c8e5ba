"""Looking before the end: intervals and tests that stay right when somebody peeks."""
