"""Outbox: committed work on its way to the queue.

Owns: Relay.
May import: core.interfaces.
Must not touch: queues and databases other than through their ports.
Invariants: 1 (after commit nothing is lost).
"""
