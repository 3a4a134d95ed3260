"""Bytes of an inventory in, archives out: JSON as Glacier writes it, any other JSON, CSV."""
