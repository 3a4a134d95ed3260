"""Our own files: how they are read, written, locked and kept together in a run folder."""
