"""Events: the buses, and how their groups and broadcasts run.

Owns: InMemoryEventBus, DatabaseEventBus, NatsEventBusAdapter, GroupRunner, Broadcast, CloudEvents.
May import: core, adapters.db, adapters.nats, nats.
Must not touch: jobs, SQL (that is in adapters.db), what handlers do.
Invariants: 1 (at least once), 4 (acknowledged after its effect), 5 (dead letters), 6, 7.
"""
