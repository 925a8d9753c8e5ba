"""What one gesture on a canvas means when it is more than one edit: still one step of undo."""
