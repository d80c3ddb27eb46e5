"""For who receives webhooks: from Framework M, or from anybody who sends by Standard Webhooks.

    from framework_m.webhooks import WebhookVerificationError, verify

    event = verify(request.headers, request.body, secret)

Nothing else of the framework is needed or loaded: any web framework's headers will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from framework_m.core import clock
from framework_m.core.errors import WebhookSecretError, WebhookVerificationError
from framework_m.core.webhooks.keys import AnySecret, verifying_keys
from framework_m.core.webhooks.signing import seconds_of
from framework_m.core.webhooks.verification import (
    Headers,
    WebhookVerifier,
    content_of,
    payload_of,
)

if TYPE_CHECKING:
    from litestar.types import Guard

    from framework_m.core.interfaces.signatures import Ed25519

__all__ = ["WebhookSecretError", "WebhookVerificationError", "verify", "webhook_guard"]


def verify(
    headers: Headers,
    body: bytes | str,
    secret: AnySecret | Sequence[AnySecret],
    *,
    tolerance: float = 300,
    now: datetime | None = None,
    parse_json: bool = True,
) -> Any:
    """The JSON of a webhook's body, once it is certain who sent it, and that it is recent.

    headers: all of the request's, in whatever case: a mapping, or pairs (also of bytes).
    body: as it was received. JSON that was parsed and written anew is signed by nobody.
    secret: as the sender gave it, `whsec_…` or `whpk_…`; several while it is being changed.
    tolerance: seconds that the sender's clock and this one's may differ, on the way and all.
    now: aware; else by the clock.
    parse_json: False returns None, and the body may be anything.

    Raises WebhookVerificationError: answer 401, and do nothing. WebhookSecretError: the secret is
    malformed, whatever was sent.

    A sender that got no answer sends the same again, under the same `webhook-id`, later: what
    must not happen twice is for you to remember by that id.
    """
    content = content_of(body)
    moment = seconds_of(now if now is not None else clock.now())
    _verifier.verify(headers, content, verifying_keys(secret), tolerance=tolerance, now=moment)
    return payload_of(content) if parse_json else None


def webhook_guard(secret: AnySecret | Sequence[AnySecret], *, tolerance: float = 300) -> Guard:
    """A guard for Litestar: its handlers see verified requests only, all others are 401.

        @post("/hooks", guards=[webhook_guard(secret)])
        async def hook(data: JSONBody[dict[str, Any]]) -> None: ...

    Raises WebhookSecretError, when the application is built. See `verify`.
    """
    from framework_m.adapters.web import webhook_guard as web  # noqa: PLC0415 - loads Litestar

    keys = verifying_keys(secret)

    def check(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        moment = seconds_of(clock.now())
        _verifier.verify(headers, body, keys, tolerance=tolerance, now=moment)

    return web.guard(check)


@cache
def _ed25519() -> Ed25519:
    from framework_m.adapters.webhooks import ed25519  # noqa: PLC0415 - few have such keys

    return ed25519.CryptographyEd25519()


_verifier = WebhookVerifier(_ed25519)
