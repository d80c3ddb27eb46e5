"""Nats: one connection per process, and the streams we keep.

Owns: NatsConnection, stream declarations and their upkeep.
May import: core, nats.
Must not touch: what is in the streams; that belongs to the rooms above.
Invariants: 6 (reconnects heal), 12 (no secret in a log); a stream is never deleted here.
"""
