"""Views as pages: one file each, that loads nothing and runs nothing."""
