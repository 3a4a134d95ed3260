"""The audit room: one line per outcome, chained, group-committed, replayed into a ledger, checked for tampering.

It never runs ahead of the disk: what the ledger says has been fsynced before.
"""
