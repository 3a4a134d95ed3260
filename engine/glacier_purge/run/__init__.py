"""One run is one folder and one lock: plan in, outcomes on disk, resumable at any moment. Prints and parses nothing."""
