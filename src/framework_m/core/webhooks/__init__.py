"""Webhooks: where requests may go, how they are signed, and how their receiver knows that.

Owns: which URLs, addresses and headers may leave; secrets and their forms, signatures by Standard
    Webhooks 1.0, verifying them.
May import: core.clock, core.errors, core.interfaces, the standard library, small pure libraries.
Must not touch: jobs, events, scheduling, realtime, settings; sockets, HTTP clients and servers.
Invariants: 12 (no secret in errors, logs and representations; messages name a host at most), 13
    (what is not known to be public is refused); what is hostile costs little.
"""
