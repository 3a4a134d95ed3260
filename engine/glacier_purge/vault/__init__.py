"""What is done to the vault itself and not to its archives."""
