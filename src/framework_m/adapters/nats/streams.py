"""The streams we keep: declared here, created when missing, kept as declared, never deleted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from framework_m.core.errors import NatsUnavailableError

if TYPE_CHECKING:
    from nats.js import JetStreamContext

logger = logging.getLogger(__name__)

_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What an operator decides for all streams."""

    replicas: int = 1
    in_memory: bool = False
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream as it should be."""

    name: str
    subjects: tuple[str, ...]
    purpose: str
    is_work_queue: bool
    max_age: float = 0
    """Seconds that a message is kept; 0 is for ever."""
    is_atomic: bool = False
    """Whether batches may be published as one (NATS ADR-50)."""

    @property
    def retention(self) -> str:
        """In words."""
        if self.is_work_queue:
            return "until acknowledged"
        return f"{self.max_age / _DAY:g} days"

    def config(self, limits: StreamLimits) -> StreamConfig:
        """As the server takes it."""
        return StreamConfig(
            name=self.name,
            description=self.purpose,
            subjects=list(self.subjects),
            retention=RetentionPolicy.WORK_QUEUE if self.is_work_queue else RetentionPolicy.LIMITS,
            storage=StorageType.MEMORY if limits.in_memory else StorageType.FILE,
            num_replicas=limits.replicas,
            max_age=self.max_age,
            # A work queue that is full would drop its oldest messages (the server allows no other
            # rule beside schedules), so it has no bound; its messages are a hundred bytes.
            max_bytes=-1 if self.is_work_queue or not limits.max_bytes else limits.max_bytes,
            discard=DiscardPolicy.OLD,
            allow_msg_schedules=self.is_work_queue or None,
            allow_atomic=self.is_atomic or None,
        )


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream as it is, for people."""

    name: str
    subjects: tuple[str, ...]
    retention: str
    purpose: str
    drift: tuple[str, ...]


def jobs_stream(prefix: str) -> StreamSpec:
    return StreamSpec(
        name=f"{prefix}_jobs",
        subjects=(f"{prefix}.jobs.>",),
        purpose="Jobs on their way to a worker: ids only, the rows are in the database.",
        is_work_queue=True,
    )


def schedules_stream(prefix: str) -> StreamSpec:
    return StreamSpec(
        name=f"{prefix}_schedules",
        subjects=(f"{prefix}.schedules.>",),
        purpose="The next due time of each schedule: names only, the records are in the database.",
        is_work_queue=True,
    )


def events_stream(prefix: str, max_age: float) -> StreamSpec:
    return StreamSpec(
        name=f"{prefix}_events",
        subjects=(f"{prefix}.events.>", f"{prefix}.redriven.>"),
        purpose="Events as CloudEvents; and those that go to one group once more.",
        is_work_queue=False,
        max_age=max_age,
        is_atomic=True,
    )


def parked_stream(prefix: str) -> StreamSpec:
    return StreamSpec(
        name=f"{prefix}_parked",
        subjects=(f"{prefix}.parked.>",),
        purpose="Messages that were not ours or made no sense, with the reason.",
        is_work_queue=False,
        max_age=30 * _DAY,
    )


def report(spec: StreamSpec, drift: list[str]) -> StreamReport:
    return StreamReport(spec.name, spec.subjects, spec.retention, spec.purpose, tuple(drift))


_KEPT = (
    "description",
    "subjects",
    "retention",
    "storage",
    "num_replicas",
    "max_age",
    "max_bytes",
    "discard",
    "allow_msg_schedules",
    "allow_atomic",
)


_OFTEN_LEFT_OUT = ("max_age", "allow_msg_schedules", "allow_atomic", "description")


async def ensure(jetstream: JetStreamContext, spec: StreamSpec, limits: StreamLimits) -> list[str]:
    """Create the stream, or bring it to its declaration; what could not be changed, in words.

    Raises NatsUnavailableError.
    """
    wanted = spec.config(limits)
    try:
        found = await _found(jetstream, spec.name)
        if found is None:
            await jetstream.add_stream(wanted)
            return []
        drift = _differences(found, wanted)
        return await _mended(jetstream, found, wanted) if drift else []
    except (NatsError, OSError, TimeoutError) as error:
        raise NatsUnavailableError(
            f"stream {spec.name}: {str(error) or type(error).__name__}"
        ) from error


async def _found(jetstream: JetStreamContext, name: str) -> StreamConfig | None:
    try:
        return (await jetstream.stream_info(name)).config
    except NotFoundError:
        return None


async def _mended(
    jetstream: JetStreamContext, found: StreamConfig, wanted: StreamConfig
) -> list[str]:
    """Change what the server lets us change, one field at a time: one refusal hides no other."""
    left = []
    for name in _differences(found, wanted):
        changed = replace(found, **{name: getattr(wanted, name)})
        try:
            info = await jetstream.update_stream(changed)
        except (BadRequestError, ServerError) as error:
            told = f"{name} is {_shown(found, name)}, not {_shown(wanted, name)}"
            left.append(f"{told}: {error.description}")
            logger.warning("stream %s drifted: %s", found.name, left[-1])
        else:
            found = info.config
            logger.info("stream %s: %s brought to its declaration", found.name, name)
    return left


def _differences(found: StreamConfig, wanted: StreamConfig) -> list[str]:
    return [name for name in _KEPT if _plain(found, name) != _plain(wanted, name)]


def _shown(config: StreamConfig, name: str) -> str:
    value = getattr(config, name)
    return str(getattr(value, "value", value))


def _plain(config: StreamConfig, name: str) -> Any:
    value = getattr(config, name)
    return value or None if name in _OFTEN_LEFT_OUT else value
