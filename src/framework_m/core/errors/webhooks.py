"""Errors of webhooks, sent and received, and of all requests that leave."""

from __future__ import annotations

from framework_m.core.errors.base import FrameworkMError


class WebhookError(FrameworkMError):
    """Something about webhooks, or a request that leaves."""


class WebhookSecretError(WebhookError):
    """A text that cannot be the secret of a webhook. What it was is not said."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the webhook's secret {reason}")
        self.reason = reason


class WebhookVerificationError(WebhookError):
    """A request that does not come, as it is and now, from who has the secret: refuse it.

    reason: for whoever sets the webhook up. It repeats nothing that was sent and nothing secret,
        so it may be the answer to the request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the webhook cannot be verified: {reason}")
        self.reason = reason


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
