"""Who is told of what happens while nobody watches, and how it gets there."""
