"""The two engines behind one seam: how each is opened and written without losing anything."""
