"""Charts as still pictures: for a page that anybody opens anywhere, with no script to draw them."""
