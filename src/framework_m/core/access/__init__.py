"""Access: who asks, and what that user may do.

Owns: the decision what a role reaches, signing in, API keys, and what a caller from outside is.
May import: core.doctypes, core.errors, core.identity, core.interfaces, core.jobs.options.
Must not touch: SQL, JWTs and HTTP, other than through ports.
Invariants: 12 (tokens are stored hashed), 13 (deny by default).
"""
