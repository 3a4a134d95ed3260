"""The purge as a citizen of Temporal: durable waits, approvals and one table over workers that may die.

It starts the command that cron would start, and knows nothing of what that does.  What a vault reached is in its run
folder: an engine whose database is lost is given the same order again.  Whoever owns the engine can start, stop and
delay; what it carries as an approval names one plan, and ``fleet`` holds it against that plan.
"""
