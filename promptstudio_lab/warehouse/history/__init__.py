"""What happened to people's things: the log, and the ways back through it."""
