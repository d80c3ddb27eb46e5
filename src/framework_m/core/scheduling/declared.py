"""Schedules that code declares: `cron_jobs` of a module, and `@job(cron=…)`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from framework_m.core.discovery import modules_below
from framework_m.core.doctypes.scheduled_job import DEFINITION, CatchUp, Overlap, ScheduledJob
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.function import JobFunction

if TYPE_CHECKING:
    from framework_m.core.scheduling.settling import Settling

CronField: TypeAlias = int | str | Collection[int | str]
"""Of a cron expression: 9, "8-17", "*/5", [0, 30]."""
FRAMEWORK = "framework_m"
"""What the framework's own schedules are declared in."""


@dataclass(frozen=True, slots=True)
class CronJob:
    """A schedule as code declares it: what `cron(…)` gives. The fields are the record's."""

    function: str
    cron_expression: str
    name: str
    timezone: str = "UTC"
    args: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int | None = None
    overlap: Overlap | str = Overlap.ALLOW
    catch_up: CatchUp | str = CatchUp.LAST
    catch_up_window: float | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    jitter: float = 0

    def record(self) -> ScheduledJob:
        """A new one. Raises ValidationError."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if self.catch_up_window is None:
            del given["catch_up_window"]
        return ScheduledJob(**{**given, "args": dict(self.args)})


def cron(
    job: JobFunction[..., Any] | str,
    expression: str | None = None,
    *,
    month: CronField | None = None,
    day: CronField | None = None,
    weekday: CronField | None = None,
    hour: CronField | None = None,
    minute: CronField | None = None,
    second: CronField | None = None,
    name: str | None = None,
    timezone: str = "UTC",
    args: Mapping[str, Any] | None = None,
    queue: str | None = None,
    priority: int | None = None,
    overlap: Overlap | str = Overlap.ALLOW,
    catch_up: CatchUp | str = CatchUp.LAST,
    catch_up_window: float | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    jitter: float = 0,
) -> CronJob:
    """Declare a schedule, in the list `cron_jobs` of one of the application's modules.

        cron_jobs = [
            cron("send_daily_report", hour=9, minute=0, timezone="Europe/Berlin"),
            cron(clean_up, "@hourly"),
        ]

    Code owns the definition: it is brought up to date when a process starts, and goes when the
    code declares it no more. Operators own `enabled`.

    expression: five fields, six with seconds first, `@daily` and its like, or `@every 90s`.
    month, day, weekday, hour, minute, second: the same in parts: a number, a text as in crontab,
        or several. Larger units that are left out are any, smaller ones their first: hour=9 is
        once, at 09:00. Weekdays are those of crontab: 0 and 7 are Sunday.
    name: the record's; that of the job if there is no other schedule for it.

    The other options are the fields of ScheduledJob. Raises ConfigurationError; whether the job
    is there and takes these arguments is found when the application opens.
    """
    job_name = job if isinstance(job, str) else job.name
    parts = month, day, weekday, hour, minute, second
    if (expression is None) == all(part is None for part in parts):
        raise ConfigurationError(
            f"cron({job_name!r}): give an expression, or its parts (hour=9, minute=0), not both"
        )
    return CronJob(
        function=job_name,
        cron_expression=_expression(*parts) if expression is None else expression,
        name=name or job_name,
        timezone=timezone,
        args=args or {},
        queue=queue,
        priority=priority,
        overlap=overlap,
        catch_up=catch_up,
        catch_up_window=catch_up_window,
        start_date=start_date,
        end_date=end_date,
        jitter=jitter,
    )


@dataclass(frozen=True, slots=True)
class Declaration:
    """A schedule, and the module that declares it. The record is checked, and new."""

    module: str
    record: ScheduledJob

    @property
    def definition(self) -> str:
        """A hash of all that code says of it: tells one version of the code from another."""
        said = self.record.model_dump_json(include=set(DEFINITION))
        return hashlib.sha256(f"{self.module} {said}".encode()).hexdigest()


def discovered(
    modules: Iterable[str], settling: Settling, built_in: Iterable[CronJob] = ()
) -> Mapping[str, Declaration]:
    """What the modules declare, and those below them, by name.

    Raises ConfigurationError: it makes no sense, or two have one name.
    """
    found: dict[str, Declaration] = {}
    own = ((FRAMEWORK, declared) for declared in built_in)
    for module, declared in (*own, *_declared(modules)):
        if declared.name in found:
            places = f"{found[declared.name].module} and {module}"
            raise ConfigurationError(
                f"two schedules are named {declared.name!r}: in {places}; give one a name of its "
                f"own: cron(…, name=…)"
            )
        found[declared.name] = Declaration(module, _checked(module, declared, settling))
    return found


def _declared(modules: Iterable[str]) -> Iterator[tuple[str, CronJob]]:
    seen: set[int] = set()
    for module in modules_below(modules):
        for value in list(vars(module).values()):
            if isinstance(value, JobFunction) and value.defaults.cron and id(value) not in seen:
                seen.add(id(value))
                zone = value.defaults.timezone
                yield value.function.__module__, cron(value, value.defaults.cron, timezone=zone)
        declared = vars(module).get("cron_jobs", ())
        if id(declared) not in seen:  # as another module imports it
            seen.add(id(declared))
            yield from ((module.__name__, one) for one in _cron_jobs(module.__name__, declared))


def _cron_jobs(module: str, declared: Any) -> Iterator[CronJob]:
    if not isinstance(declared, Collection) or isinstance(declared, str):
        raise ConfigurationError(f"{module}.cron_jobs: must be a list of cron(…)")
    for one in declared:
        if not isinstance(one, CronJob):
            raise ConfigurationError(f"{module}.cron_jobs: {one!r} is not made by cron(…)")
        yield one


def _checked(module: str, declared: CronJob, settling: Settling) -> ScheduledJob:
    where = f"the schedule {declared.name!r} in {module}"
    try:
        record = declared.record()
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    _, errors = settling.settle(record)
    if errors:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise ConfigurationError(f"{where}: {told}")
    return record


def _expression(
    month: CronField | None,
    day: CronField | None,
    weekday: CronField | None,
    hour: CronField | None,
    minute: CronField | None,
    second: CronField | None,
) -> str:
    """Units between those that are given are any; below them, their first."""
    smaller = second is not None
    fields = [] if second is None else [_field(second)]
    for part in (minute, hour):
        fields.append(_field(part) if part is not None else "*" if smaller else "0")
        smaller = smaller or part is not None
    only_month = month is not None and day is None and weekday is None and not smaller
    days = "1" if only_month else "*"
    fields.append(days if day is None else _field(day))
    fields += ["*" if part is None else _field(part) for part in (month, weekday)]
    return " ".join(fields)


def _field(part: CronField) -> str:
    if isinstance(part, int | str):
        return str(part)
    in_order = sorted(part, key=lambda one: (isinstance(one, str), one))
    return ",".join(str(one) for one in in_order)
