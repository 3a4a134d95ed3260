"""Many vaults side by side."""
