"""Text from anywhere, made fit to be stored, or found a likeness of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def storable(text: str) -> str:
    """NUL and lone surrogates spelled out: PostgreSQL stores neither, and errors quote anything."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """The known name that was meant, perhaps."""
    import difflib  # noqa: PLC0415 - wanted only when a name was mistyped

    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None
