"""Errors of webhooks, and of all requests that leave."""

from __future__ import annotations

from framework_m.core.errors.base import FrameworkMError


class WebhookError(FrameworkMError):
    """A webhook is wrong, or a request of one came to nothing."""


class EgressError(WebhookError):
    """A request that was to leave did not, or did not end as a request should.

    Its message names a host at most: paths and queries of webhooks are often secrets.
    """


class EgressRefusedError(EgressError):
    """The URL, what it leads to or a header is not allowed: nothing was sent to it.

    The same request is refused again, unless settings change, or what the name leads to.
    """


class EgressTimeoutError(EgressError):
    """It took longer than it may, with or without an answer so far."""


class EgressFailedError(EgressError):
    """No connection, no certificate that is good, or an answer that breaks off or is no HTTP."""
