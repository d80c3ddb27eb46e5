"""Scheduling: what notices that a schedule is due.

Owns: the adapters of the Scheduler port: over JetStream, and over the records alone.
May import: core, taskiq, nats; adapters.nats from above.
Must not touch: adapters.jobs, adapters.events, adapters.web; what a due time leads to.
Invariants: design 6, 8, 9.
"""
