"""Interfaces: the ports, and the value types they speak.

Owns: what the core asks of the outside world.
May import: core.errors, core.jobs.states, core.doctypes.base.
Must not touch: implementations of any kind.
Invariants: each port's docstring says what it promises.
"""
