"""What a group on JetStream has to handle now, as far as the server can say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo


class Backlog:
    """One group, seen by one process.

    The server counts an event that waits for its next attempt as one that is being handled. Those
    that this process has put off are known here and left out; those of others cannot be told from
    what they handle, and count until nothing has moved for `patience` seconds.
    """

    def __init__(self, group: str, patience: float) -> None:
        self._group = group
        self._patience = patience
        self._postponed: dict[int, float] = {}
        """Until when, by sequence in the stream."""
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def postpone(self, sequence: int, seconds: float) -> None:
        """This process has put it off for so long."""
        self._postponed[sequence] = time.monotonic() + seconds

    async def has_work(self, jetstream: JetStreamContext, stream: str) -> bool:
        """Raises NATS' own errors."""
        try:
            info = await jetstream.consumer_info(stream, self._group)
        except NotFoundError:
            return False  # nothing was ever kept for it
        return bool(info.num_pending) or self._is_being_handled(info)

    def _is_being_handled(self, info: ConsumerInfo) -> bool:
        now = time.monotonic()
        self._postponed = {at: until for at, until in self._postponed.items() if until > now}
        others = int(info.num_ack_pending or 0) - len(self._postponed)
        if others <= 0:
            self._seen = None
            return False
        seen = others, int(info.delivered.consumer_seq) if info.delivered else 0
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since < self._patience


async def holds_beyond(
    jetstream: JetStreamContext, stream: str, subject: str, sequence: int
) -> bool:
    """Whether the stream has a message of this subject after that place."""
    try:
        await jetstream.get_msg(stream, seq=sequence + 1, subject=subject, next=True)
    except NotFoundError:
        return False
    return True
