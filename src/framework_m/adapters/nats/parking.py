"""Parking: a message that makes no sense is kept, with the reason, and not in the way any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from framework_m.core.errors import NatsUnavailableError

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

_REASON = "Framework-M-Reason"


async def park(jetstream: JetStreamContext, message: Msg, subject: str, reason: str) -> None:
    """Keep it under a subject of the parked stream; then, and only then, let go of it.

    Raises NatsUnavailableError.
    """
    headers = {**(message.headers or {}), _REASON: reason}
    headers = {k: v for k, v in headers.items() if not k.startswith("Nats-")}
    try:
        await jetstream.publish(subject, message.data, headers=headers)
        await message.ack()
    except (NatsError, OSError, TimeoutError) as error:
        raise NatsUnavailableError(str(error) or type(error).__name__) from error
