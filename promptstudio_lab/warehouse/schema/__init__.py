"""The schema in a database: made, upgraded, and written out as SQL."""
