"""The adapter of our own: signed deletes over connections that stay open."""
