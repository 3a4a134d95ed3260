"""What shows, later and to others, that what was deleted is gone and what was kept is there."""
