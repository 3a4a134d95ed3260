"""The composition: where rooms, adapters and settings are put together, for library and command line alike."""
