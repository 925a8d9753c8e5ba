"""Online experiments: each unit meets one variant, chosen by a hash or by what is known so far."""
