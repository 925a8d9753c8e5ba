"""Questions to the warehouse: one file each."""
