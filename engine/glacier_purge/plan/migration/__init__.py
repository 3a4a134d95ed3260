"""Proof that an archive is safe elsewhere: manifests, copies, and what both together prove."""
