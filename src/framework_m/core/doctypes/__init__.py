"""Doctypes: the records, and what they are made of.

Owns: DocType and its Meta, naming rules, Link and Secret, Controller, DocTypeRegistry; documents
as JSON; JobLog, ApiKey and Queue; which DocTypes are built in.
May import: core.errors, core.discovery, core.ids, core.jobs.states, core.merge_patch, pydantic.
Must not touch: tables and SQL, which adapters.db derives.
Invariants: 12 (secrets stay secret), 14 (the table is what the class says).
"""
