"""Servers that are away, and schemas that are behind."""

from __future__ import annotations

from framework_m.core.errors.base import UnavailableError


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database is not available: {reason}")


class LockTimeoutError(DatabaseUnavailableError):
    """Somebody's transaction holds what this one needs, for longer than this one waits."""

    def __init__(self) -> None:
        super().__init__("another transaction holds what this one needs")


class NatsUnavailableError(UnavailableError):
    """NATS, or its JetStream, does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"NATS is not available: {reason}")


class KeySetUnavailableError(UnavailableError):
    """The keys that tokens are checked with (FRAMEWORK_M_JWKS_URL) cannot be fetched."""


class SchemaOutdatedError(UnavailableError):
    """The database's schema is not the one this version needs."""

    def __init__(self, found: str | None, needed: str) -> None:
        state = f"is at revision {found}" if found else "has no schema yet"
        super().__init__(f"the database {state}, this version needs {needed}: run `m migrate`")
        self.found = found
        self.needed = needed


class MissingTableError(UnavailableError):
    """A DocType has no table, or its table lacks a column."""

    def __init__(self, doctype: str, reason: str) -> None:
        super().__init__(
            f"DocType {doctype} is not in the database as it is in the code ({reason}): "
            f"run `m migrate:make -m MESSAGE`, then `m migrate`"
        )
        self.doctype = doctype
