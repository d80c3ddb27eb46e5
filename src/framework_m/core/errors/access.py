"""Errors of who asks, and what that user may do."""

from __future__ import annotations

from framework_m.core.errors.base import FrameworkMError


class AccessError(FrameworkMError):
    """Somebody from outside asked for what is not theirs."""


class NotAuthenticatedError(AccessError):
    """There is no token, or not one that is valid here and now. Which of the two is not said."""


class ForbiddenError(AccessError):
    """The user's roles do not allow it. Never raised about what the user may not even see."""
