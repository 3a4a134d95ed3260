"""Numbers for people and machines, all computed from the ledger."""
