"""Doctypes: the records.

Owns: JobLog.
May import: core.jobs.states, pydantic.
Must not touch: tables and SQL, which adapters.db derives.
Invariants: 12 (secrets stay secret).
"""
