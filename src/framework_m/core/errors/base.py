"""The root, its first branches, and what belongs to no part of the framework."""

from __future__ import annotations

from dataclasses import dataclass


class FrameworkMError(Exception):
    """Base of all errors that Framework M raises."""


class ConfigurationError(FrameworkMError):
    """The application or its settings are wrong; retrying does not help."""


class ApplicationNotFoundError(ConfigurationError):
    """The application path cannot be found or imported."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot load the application {path!r}: {reason}")
        self.path = path
        self.reason = reason


class SecretKeyError(ConfigurationError):
    """A secret cannot be encrypted or decrypted with the SECRET_KEY that is set, or none is."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that does not fit, and why."""

    field: str
    message: str


class MigrationError(FrameworkMError):
    """A migration of the application's own did not run, or cannot be made."""


class TransactionFailedError(FrameworkMError):
    """An error inside the transaction makes its commit impossible; nothing of it was stored.

    What may fail and be caught belongs in `async with tx.nested():`.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"the transaction had failed and was rolled back "
            f"({type(cause).__name__}: {cause}); put what may fail into `async with tx.nested():`"
        )


class UnavailableError(FrameworkMError):
    """A server that the framework needs does not answer; the same call may work later."""
