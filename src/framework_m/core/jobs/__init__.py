"""Jobs: what a job is, and what may happen to it.

Owns: @job, JobRegistry, Arguments, JobContext, states, outcomes, retry and rescue policy, Jobs.
May import: core.interfaces, core.doctypes, core.outbox, and below.
Must not touch: vendor libraries, webhooks, realtime, scheduling.
Invariants: 2 and 3 (claims, leases), 7 (stored retries), 10 (validated at the edge).
"""
