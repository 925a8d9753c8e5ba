"""A past that never was, of which the truth is known: what essays and tests are written about."""
