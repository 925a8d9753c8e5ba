"""The shared warehouse: the only floor that knows SQL."""
