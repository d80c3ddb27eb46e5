"""What queries have in common: which parameters there are, and times in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from framework_m.adapters.web.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.adapters.web.auth import Connection


def names_in(request: Connection) -> tuple[str, ...]:
    """The names of the parameters as they were given."""
    return tuple(name for name, _ in request.query_params.multi_items())


def require_known(given: Sequence[str], known: Sequence[str], *, what: str = "parameter") -> None:
    """Raises BadRequestError for a parameter that is not known, or is given twice."""
    for name in given:
        if name not in known:
            raise BadRequestError(name, f"is not a {what}; use " + ", ".join(sorted(known)))
        if given.count(name) > 1:
            raise BadRequestError(name, "can be given only once")


def moment(name: str, text: str | None) -> datetime | None:
    """Read here: Litestar takes `null` for None, and fails on seconds beyond the year 9999.

    It may be naive. Raises BadRequestError.
    """
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(name, "is not a time such as 2026-11-25T12:00:00Z") from error


def moment_in_utc(name: str, text: str | None) -> datetime | None:
    """The same of one that has to have its offset."""
    found = moment(name, text)
    if found is None:
        return None
    if found.utcoffset() is None:
        raise BadRequestError(name, "must be a time with its offset, such as Z or +01:00")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise BadRequestError(name, "is no time of the calendar") from error
