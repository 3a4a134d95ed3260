"""Profiles that ship with glacier-purge, read through importlib.resources."""
