"""Jobs: taskiq, and the queues.

Owns: JobBroker, JobReceiver, workers, leases, how functions are called (in the event loop, in
    threads, in processes), InMemoryJobQueue, DatabaseJobQueue.
May import: core, adapters.db, taskiq.
Must not touch: web, tables and SQL.
Invariants: 2, 3, 4 (commit before acknowledging), 5 (nothing dropped silently), 6 (reconnects
    heal).
"""
