"""Conditional requests (RFC 9110, 13): a document's ETag is its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.exceptions import HTTPException

if TYPE_CHECKING:
    from framework_m.core.doctypes.base import DocType


def etag(document: DocType) -> str:
    return f'"{document.version}"'


def require_match(header: str | None, document: DocType) -> None:
    """Raises HTTPException 412 if the caller speaks of another version."""
    if header is not None and not _names(header, etag(document)):
        raise HTTPException(
            status_code=412,
            detail=f"the document is at version {document.version}: load it again",
        )


def is_known(header: str | None, document: DocType) -> bool:
    """Whether the caller has this version already."""
    return header is not None and _names(header.replace("W/", ""), etag(document))


def _names(header: str, wanted: str) -> bool:
    named = [part.strip() for part in header.split(",")]
    return named == ["*"] or wanted in named
