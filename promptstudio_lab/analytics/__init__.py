"""What runs cost, and what of it is known."""
