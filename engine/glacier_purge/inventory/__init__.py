"""Bytes in, archives out: reading a vault inventory without ever holding it."""
