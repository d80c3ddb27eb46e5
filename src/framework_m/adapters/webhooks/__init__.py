"""Webhooks: what is sent, and how it leaves.

Owns: the one HTTP client for all that goes where users say, and the guard inside its connector;
    Ed25519 by cryptography.
May import: core, cryptography, httpx, httpx_aiohttp, aiohttp.
Must not touch: the database, queues, HTTP that is served, other HTTP clients.
Invariants: 12 (no secret, path, query or header in logs and errors), 13 (nothing is dialled that
    was not judged).
"""
