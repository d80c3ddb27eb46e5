"""Outbox: committed work on its way to the queue and to the bus.

Owns: Relay, EventRelay.
May import: core.interfaces.
Must not touch: queues, buses and databases other than through their ports.
Invariants: 1 (after commit nothing is lost).
"""
