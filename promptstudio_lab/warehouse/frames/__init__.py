"""SQL in, polars out: every read that a person analyses."""
