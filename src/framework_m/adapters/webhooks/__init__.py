"""Webhooks: requests that leave.

Owns: the one HTTP client for all that goes where users say, and the guard inside its connector.
May import: core, httpx, httpx_aiohttp, aiohttp.
Must not touch: the database, queues, HTTP that is served, other HTTP clients.
Invariants: 12 (no path, query or header in an error), 13 (nothing is dialled that was not judged).
"""
