"""Scheduling: when something is due.

Owns: cron expressions, due times in a time zone, the words for them.
May import: core.errors, core.text, and small pure libraries (cronsim).
Must not touch: jobs, records, the database, the clock: it is told what time it is.
Invariants: 9 (the same due times in every process, wherever it begins), 11 (time is a port).
"""
