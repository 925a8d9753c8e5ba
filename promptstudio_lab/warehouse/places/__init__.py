"""Where people's things are, what they are called, and how one finds them."""
