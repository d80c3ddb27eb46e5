"""The statements that find jobs by what people look for. Every one goes by an index, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, literal, or_, select, tuple_

from framework_m.adapters.db.schema import UtcDateTime, job_log, job_tag
from framework_m.core.interfaces.job_reading import JobScope
from framework_m.core.jobs.states import TERMINAL, JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from framework_m.core.interfaces.job_reading import JobFilter

_row = job_log.c
_tag = job_tag.c
_later_run = job_log.alias("later_run")
_EQUAL = ("status", "job_name", "queue", "user_id", "parent_id", "schedule")
_TAGGED = job_log.join(job_tag, _tag.job_id == _row.name)
CUSTOM_PLANS = select(func.set_config("plan_cache_mode", "force_custom_plan", True))
"""PostgreSQL: until the end of the transaction, plan for the values at hand.

A plan that serves any value takes a name of three jobs for one of half a million, or the reverse.
"""


def listed(wanted: JobFilter) -> Select[Any]:
    """Whole jobs, newest first."""
    return _found(wanted, job_log)


def counted(wanted: JobFilter) -> Select[Any]:
    """How many there are, one beyond the limit at most.

    In order, as if they were listed: so it goes by the same index, where PostgreSQL would else
    read the table from its beginning, in the hope of finding that many soon.
    """
    some = _found(wanted, _row.name).limit(wanted.limit + 1).subquery()
    return select(func.count()).select_from(some)


def picked(wanted: JobFilter, scope: JobScope) -> Select[Any]:
    """The places of those that may be acted on, newest first."""
    return _found(wanted, _row.enqueued_at, _row.name).where(*_in_scope(scope))


def locked(job_ids: Collection[str]) -> Select[Any]:
    """In one order, so that no two transactions wait for each other."""
    return select(_row.name).where(_row.name.in_(job_ids)).order_by(_row.name).with_for_update()


def to_retry(job_ids: Collection[str]) -> Select[Any]:
    return select(job_log).where(_row.name.in_(job_ids), *_in_scope(JobScope.RETRYABLE))


def _found(wanted: JobFilter, *what: Any) -> Select[Any]:
    # With a tag, its own rows give the order: whoever has few of something else sorts those.
    source, moment, job_id = (
        (job_log, _row.enqueued_at, _row.name)
        if wanted.tag is None
        else (_TAGGED, _tag.enqueued_at, _tag.job_id)
    )
    return (
        select(*what)
        .select_from(source)
        .where(*_conditions(wanted), *_within(wanted, moment, job_id))
        .order_by(moment.desc(), job_id.desc())
        .limit(wanted.limit)
    )


def _conditions(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    for name in _EQUAL:
        value = getattr(wanted, name)
        if value is not None:
            yield _row[name] == value
    if wanted.correlation_id is not None:
        yield _of_family(wanted.correlation_id)
    if wanted.tag is not None:
        yield _tag.tag == wanted.tag


def _within(
    wanted: JobFilter, moment: ColumnElement[datetime], job_id: ColumnElement[str]
) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield moment >= wanted.since
    before, until = wanted.before, wanted.until
    if before is not None:
        place = literal(before.enqueued_at, UtcDateTime()), before.job_id
        yield tuple_(moment, job_id) < tuple_(*place)
    # Of two ends, PostgreSQL might begin at the later one, and pass over all that is between.
    if until is not None and (before is None or until <= before.enqueued_at):
        yield moment < until


def _of_family(correlation_id: str) -> ColumnElement[bool]:
    """Its first job, which may be named like it, and the others: as they are indexed."""
    return or_(
        and_(_row.name == correlation_id, _row.correlation_id == correlation_id),
        and_(_row.correlation_id == correlation_id, _row.correlation_id != _row.name),
    )


def _in_scope(scope: JobScope) -> Iterator[ColumnElement[bool]]:
    if scope is JobScope.OPEN:
        yield _row.status.in_([status.value for status in JobStatus if not status.is_terminal])
    elif scope is JobScope.RETRYABLE:
        yield _row.status.in_([status.value for status in TERMINAL])
        yield ~exists().where(_later_run.c.retry_of == _row.name)
