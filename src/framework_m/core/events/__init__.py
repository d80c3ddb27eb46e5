"""Events: facts in the past tense, and who wants to hear of them.

Owns: BaseEvent and the standard events, topics, @on, HandlerRegistry, EventContext, Events.
May import: core.interfaces, core.outbox, core.context, core.jobs.retry and core.jobs.control.
Must not touch: vendor libraries, webhooks, realtime; the bus and the tables except through ports.
Invariants: 1 (with the transaction or never), 5 (dead letters), 10 (validated at the edge), 12, 15.
"""
