"""Webhooks: where requests may go, and what they may carry.

Owns: which URLs, addresses and headers may leave.
May import: core.errors, the standard library, and small pure libraries (idna).
Must not touch: sockets, resolvers, HTTP clients, settings; jobs, realtime, scheduling.
Invariants: 12 (messages name a host at most), 13 (what is not known to be public is refused).
"""
