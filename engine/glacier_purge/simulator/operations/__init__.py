"""The service's operations, a file for each subject. Each takes a ``Call`` and makes a reply, or raises a ``Refusal``."""
