"""The benchmark verb."""
