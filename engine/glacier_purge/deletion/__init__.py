"""Ids in, outcomes out: when the next request may leave, what is tried again, the worker pool.

Does not know where ids come from, and decides nothing about which archives go.
"""
