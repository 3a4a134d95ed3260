"""Empties Amazon Glacier vaults."""
