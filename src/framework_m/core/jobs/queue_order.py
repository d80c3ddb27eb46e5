"""QueueOrder: the queues that a worker serves, and how they take turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.options import is_queue_name

_LARGEST_WEIGHT = 1000
_LONGEST_NUMBER = 20


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """Queues with their weights.

        QueueOrder.parse("critical:4,default:2,low:1")
        QueueOrder.parse("critical,default", strict=True)

    While all of them have jobs, four are taken from `critical` for every two from `default` and
    one from `low`; without weights all are served equally. In a strict order a queue is served
    only while those before it have nothing that is ready.
    """

    weights: tuple[tuple[str, int], ...]
    strict: bool = False

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name, weight in self.weights:
            if not is_queue_name(name):
                raise _wrong(name, "is no name of a queue: 1 to 64 letters, digits, _ or -")
            if name in seen:
                raise _wrong(name, "is there twice")
            if not 1 <= weight <= _LARGEST_WEIGHT:
                raise _wrong(name, f"its weight must be from 1 to {_LARGEST_WEIGHT}")
            if self.strict and weight != 1:
                raise _wrong(name, "a weight means nothing in a strict order")
            seen.add(name)
        if not seen:
            raise ConfigurationError("queues: there is none among them")

    @classmethod
    def parse(cls, text: str, *, strict: bool = False) -> QueueOrder:
        """From `critical:4,default:2,low`: a queue without a weight has 1.

        Raises ConfigurationError that names what is wrong.
        """
        return cls.of(text.split(","), strict=strict)

    @classmethod
    def of(cls, queues: Sequence[str], *, strict: bool = False) -> QueueOrder:
        """The same from a sequence of such parts."""
        parts = (part.strip() for part in queues)
        return cls(tuple(_weighted(part) for part in parts if part), strict)

    @property
    def queues(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.weights)

    def __str__(self) -> str:
        """For people."""
        if self.strict:
            return " > ".join(self.queues)
        return ", ".join(n if w == 1 else f"{n}:{w}" for n, w in self.weights)


WantedQueues: TypeAlias = QueueOrder | Sequence[str] | str | None
"""What says which queues: an order, `"a:2,b"`, or `["a:2", "b"]`."""


def order_of(queues: WantedQueues) -> QueueOrder | None:
    """The order that is meant; None where nothing was said. Raises ConfigurationError."""
    if queues is None or isinstance(queues, QueueOrder):
        return queues
    return QueueOrder.parse(queues) if isinstance(queues, str) else QueueOrder.of(queues)


def _weighted(part: str) -> tuple[str, int]:
    name, colon, weight = part.partition(":")
    if not colon:
        return part, 1
    if not weight.strip().isdecimal() or len(weight) > _LONGEST_NUMBER:
        raise _wrong(part, "its weight must be a whole number, as in critical:4")
    return name.strip(), int(weight)


def _wrong(part: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"queues: {part!r}: {reason}")
