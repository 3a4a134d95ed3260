"""Amazon Glacier pretended: a pure state machine in its own time, faults by seed, HTTP in front."""
