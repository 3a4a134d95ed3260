"""One process carries out one plan."""
