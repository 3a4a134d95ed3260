"""What outlives this host, and which of several hosts may send."""
