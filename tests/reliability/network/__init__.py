"""A network in this process that fails as a seed says: names, connections, TLS, and every byte of a reply."""
