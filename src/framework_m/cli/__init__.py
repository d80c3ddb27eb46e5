"""Cli: the command `m`.

Owns: one module per family of commands.
May import: framework_m.app, bootstrap, settings, core.
Must not touch: ports directly, where the application offers the same.
Invariants: exit status 0 done, 1 failed, 2 usage error; no traceback for a user's mistake.
"""
