"""Which unit gets which variant: a hash, a bucket, a range."""
