"""Port: the one way out, for deliveries, test pings and callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from framework_m.core.errors import EgressError


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """What is to be sent.

    headers: ours, signatures among them. user_headers: what a record adds; checked, and never in
    the place of ours. timeout: seconds for all of it; None is the sender's own.
    """

    url: str
    body: bytes = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, as far as it came.

    With an error, status, headers and body are what had come until then: a receiver that says 200
    and never ends its answer has status 200 and an EgressTimeoutError. Without one there is a
    status; which of them is a success is not decided here.

    headers: names in small letters, in the order in which they came, cut at the sender's limits.
    body: its beginning, as it was sent, never unpacked; is_cut: there was more.
    duration: seconds, without the wait for a place among the others that are being sent.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_cut: bool = False
    duration: float = 0.0
    error: EgressError | None = None

    def header(self, name: str) -> str | None:
        """The first of that name, in whatever case."""
        small = name.lower()
        return next((value for key, value in self.headers if key == small), None)


class WebhookSender(Protocol):
    """Sends requests to where users say, and lets nobody use it to reach what is inside.

    Every URL is judged before it is sent, every address when it is dialled; redirects are answers
    like others and are not followed. What comes back, and how long it takes, is bounded.
    Delivery: one attempt. Twice with the same request: sent twice.
    Ours to raise: nothing; the answer holds the error.
    """

    async def send(self, request: OutgoingRequest) -> Answer:
        """One attempt, from judging the URL to the end of the answer."""

    async def close(self) -> None:
        """Close all connections. What is still being sent fails."""
