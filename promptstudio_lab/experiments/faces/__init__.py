"""What a report looks like: in a cell, as a page, as text, as frames and as pictures."""
