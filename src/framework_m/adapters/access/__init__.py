"""Access: signed tokens, and the keys that they are checked with.

Owns: JWTs by PyJWT, and fetching the key set (JWKS) of whoever signs them elsewhere.
May import: core, jwt, cryptography, httpx.
Must not touch: stored keys, HTTP that is served.
Invariants: 12 (no token in logs and errors), 13 (deny by default).
"""
