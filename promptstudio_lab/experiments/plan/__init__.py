"""Before and beside the runs: how large an experiment has to be, and what it is asked about."""
