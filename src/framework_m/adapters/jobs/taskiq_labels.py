"""taskiq's labels, read: of a function, or of one run of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskiq.labels import LabelType

from framework_m.core.errors import ArgumentError, FieldError
from framework_m.core.jobs.options import RunOptions, delay_of, is_queue_name
from framework_m.core.jobs.priority import priority_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskiq import TaskiqMessage

    from framework_m.core.interfaces.job_store import Claim
    from framework_m.core.jobs.registry import RegisteredJob
    from framework_m.core.jobs.retry import Errors

_WORDS = {"true": True, "false": False}
_NEVER_SENT = ("types_of_exceptions",)
"""As with taskiq: classes have no place in a message."""
_TASKIQ_ATTEMPTS = 3
"""Of `retry_on_error` without `max_retries`, which in taskiq counts attempts."""


class WrongLabelError(ValueError):
    """A label makes no sense."""

    def __init__(self, label: str, value: object, rule: str) -> None:
        super().__init__(f"{label}={value!r}: {rule}")
        self.label = label
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Labels:
    """What is understood of some labels; None where they do not say."""

    queue: str | None
    priority: int | None
    retries: int | None
    timeout: float | None
    delay: float | None
    retry_on: Errors


def read(labels: Mapping[str, Any], default_retries: int) -> Labels:
    """Raises WrongLabelError."""
    return Labels(
        queue=_queue(labels),
        priority=_priority(labels),
        retries=_retries(labels, default_retries),
        timeout=_number(labels, "timeout", above=True),
        delay=_number(labels, "delay"),
        retry_on=_retry_on(labels),
    )


def options_of(job: RegisteredJob, labels: Mapping[str, Any], default_retries: int) -> RunOptions:
    """The options of one run. Raises ArgumentError that names the label."""
    try:
        found = read(labels, default_retries)
        if found.timeout is not None and found.timeout != job.timeout:
            rule = "is the function's own, and cannot be given for one run"
            raise WrongLabelError("timeout", found.timeout, rule)
    except WrongLabelError as wrong:
        raise ArgumentError(job.name, [FieldError(wrong.label, wrong.rule)]) from wrong
    options = RunOptions(
        delay=None if found.delay is None else delay_of(job.name, found.delay),
        queue=found.queue,
        retries=found.retries,
        priority=found.priority,
    )
    return options.checked(job.name)


def labels_of(message: TaskiqMessage) -> dict[str, Any]:
    """A message's labels as what they were: on their way they are texts."""
    copy = message.model_copy(update={"labels": dict(message.labels)})
    copy.parse_labels()
    return {k: v for k, v in copy.labels.items() if not _was_none(message, k)}


def labels_of_run(declared: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
    """What a run's labels are in its worker: its function's, and what its record says.

    Without `timeout`, which taskiq would enforce a second time.
    """
    kept = {k: v for k, v in declared.items() if k not in (*_NEVER_SENT, "timeout", "delay")}
    # A private one of taskiq's OpenTelemetry middleware, which measures the wait by it.
    kept |= {"queue": claim.queue, "priority": claim.priority}
    kept["_taskiq_queue_time"] = claim.enqueued_at.timestamp()
    if claim.attempt > 1:
        kept["_retries"] = claim.attempt - 1
    if claim.cause.trace_context is not None:
        kept["traceparent"] = claim.cause.trace_context
    return kept


def _was_none(message: TaskiqMessage, label: str) -> bool:
    """taskiq writes None as a text, which could be anything's name."""
    types = message.labels_types or {}
    return message.labels[label] == "None" and types.get(label) == LabelType.ANY


def _queue(labels: Mapping[str, Any]) -> str | None:
    queue = labels.get("queue")
    if queue is None or (isinstance(queue, str) and is_queue_name(queue)):
        return queue
    raise WrongLabelError("queue", queue, "a queue's name is 1 to 64 letters, digits, _ or -")


def _priority(labels: Mapping[str, Any]) -> int | None:
    given = labels.get("priority")
    if given is None:
        return None
    found = priority_of(_whole(given))
    if found is None:
        raise WrongLabelError("priority", given, "must be from 1, the most urgent, to 4")
    return found


def _retries(labels: Mapping[str, Any], default: int) -> int | None:
    own = [label for label in ("retry", "retries") if label in labels]
    taskiqs = _switch(labels, "retry_on_error")
    if len(own) > 1 or (own and taskiqs):
        rule = "give one of retry, retries and retry_on_error"
        raise WrongLabelError(own[0], labels[own[0]], rule)
    if own:
        return _count(own[0], labels[own[0]], default)
    if taskiqs is None:
        return None
    given = labels.get("max_retries", _TASKIQ_ATTEMPTS)
    attempts = _whole(given)
    if attempts is None or attempts < 0:
        raise WrongLabelError("max_retries", given, "must be a whole number, 0 or more")
    return max(0, attempts - 1) if taskiqs else 0


def _count(label: str, given: Any, default: int) -> int:
    """Of retries: a number of them, or whether there are any."""
    word = _WORDS.get(given.lower()) if isinstance(given, str) else given
    if isinstance(word, bool):
        return default if word else 0
    count = _whole(given)
    if count is None or not 0 <= count < 2**31 - 1:
        raise WrongLabelError(label, given, "must be True, False or a whole number, 0 or more")
    return count


def _switch(labels: Mapping[str, Any], label: str) -> bool | None:
    given = labels.get(label)
    found = _WORDS.get(given.lower()) if isinstance(given, str) else given
    if found is None or isinstance(found, bool):
        if given is not None and found is None:
            raise WrongLabelError(label, given, "must be True or False")
        return found
    raise WrongLabelError(label, given, "must be True or False")


def _number(labels: Mapping[str, Any], label: str, *, above: bool = False) -> float | None:
    """Seconds."""
    given = labels.get(label)
    if given is None:
        return None
    try:
        found = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        found = math.nan
    if found > 0 or (found == 0 and not above):
        return found
    raise WrongLabelError(label, given, f"must be seconds, {'above 0' if above else '0 or more'}")


def _whole(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        return None
    try:
        return int(given)
    except ValueError:
        return None


def _retry_on(labels: Mapping[str, Any]) -> Errors:
    given = labels.get("types_of_exceptions")
    if given is None:
        return ()
    found = tuple(given) if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in found):
        return found
    raise WrongLabelError("types_of_exceptions", given, "must be classes of exceptions")
