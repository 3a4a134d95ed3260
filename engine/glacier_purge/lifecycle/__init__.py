"""One vault from its name to gone, over days."""
