"""Port: signatures by Ed25519 (RFC 8032)."""

from __future__ import annotations

from typing import Protocol


class Ed25519(Protocol):
    """Signs, and checks signatures. Everything is raw bytes: keys are 32, signatures 64.

    Ours to raise: nothing. A signature or a public key that is none matches nothing.
    """

    def public_key(self, seed: bytes) -> bytes:
        """The public key of a private one, which is given as its seed."""

    def sign(self, seed: bytes, content: bytes) -> bytes:
        """The same signature for the same content, every time."""

    def verify(self, public_key: bytes, content: bytes, signature: bytes) -> bool:
        """Whether the holder of the private key signed exactly this."""
