"""Webhooks: what is sent, and what that needs.

Owns: Ed25519 by cryptography.
May import: core, cryptography, httpx, aiohttp.
Must not touch: the database, HTTP that is served.
Invariants: 12 (no secret in logs and errors).
"""
