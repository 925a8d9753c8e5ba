"""Where `execute_batch` runs when it does not run here: one file a kind of cluster."""
