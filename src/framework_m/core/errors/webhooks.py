"""Errors of webhooks, sent and received."""

from __future__ import annotations

from framework_m.core.errors.base import FrameworkMError


class WebhookError(FrameworkMError):
    """Something about webhooks."""


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
