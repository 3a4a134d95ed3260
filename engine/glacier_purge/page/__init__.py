"""A door on loopback through which others look at a purge: a live page and metrics. Nothing can be steered by it."""
