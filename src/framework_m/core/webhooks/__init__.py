"""Webhooks: how a request is signed, and how its receiver knows that.

Owns: secrets and their forms, signatures by Standard Webhooks 1.0, verifying them.
May import: core.clock, core.errors, core.interfaces.
Must not touch: jobs, events, HTTP clients and servers.
Invariants: 12 (no secret in errors, logs and representations); what is hostile costs little.
"""
