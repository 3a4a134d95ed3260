"""The whole engine in one process and in virtual time, everything that happens to it decided by one seed.

Real is everything of the engine, and the pretended service with its ledger.  Pretended is the machine: the event loop
whose time stands still while anything is to be done (``loop``), the network it offers, which is memory (``network``),
and its clocks, threads, chance, disk and death (``machine``).  What happens, and when, is drawn in ``fate``; a vault is
carried from one death to the next in ``lives``; what has to hold is held against the service's ledger in ``checks``.
"""
