"""Somebody said yes to one plan and no other."""
