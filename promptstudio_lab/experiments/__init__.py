"""Which variant is better, at what cost, and how sure are we."""
