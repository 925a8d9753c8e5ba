"""The notebook's faces: everything that needs a widget."""
