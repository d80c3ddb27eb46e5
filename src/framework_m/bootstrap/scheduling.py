"""Schedules: what notices that they are due, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from framework_m.adapters.db.schedule_declarations import DatabaseScheduleDeclarations
from framework_m.adapters.db.schedule_store import DatabaseScheduleStore
from framework_m.adapters.db.unit_of_work import UnitsOfWork
from framework_m.adapters.scheduling.taskiq_scheduler import RecordScheduler
from framework_m.bootstrap.transport import stream_limits
from framework_m.core.scheduling.declared import FRAMEWORK
from framework_m.core.scheduling.firing import Fire
from framework_m.core.scheduling.keeper import ScheduleKeeper
from framework_m.core.scheduling.upkeep import Upkeep

if TYPE_CHECKING:
    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.jobs.broker import JobBroker
    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.core.interfaces.application import ContentsProtocol
    from framework_m.core.interfaces.repository import Repositories
    from framework_m.core.interfaces.scheduler import SchedulerProtocol
    from framework_m.core.jobs.service import Jobs
    from framework_m.core.scheduling.settling import Settling
    from framework_m.settings import Settings


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What has schedules fired."""

    store: DatabaseScheduleStore
    declarations: DatabaseScheduleDeclarations
    scheduler: SchedulerProtocol
    keeper: ScheduleKeeper


def scheduling(
    settings: Settings,
    settling: Settling,
    database: Database,
    reserved: Database,
    jobs: Jobs,
    broker: JobBroker,
    nats: NatsConnection | None,
) -> Scheduling:
    store = DatabaseScheduleStore(database, reserved)
    fire = Fire(store, UnitsOfWork(reserved), jobs, timedelta(seconds=settings.schedule_grace))
    scheduler: SchedulerProtocol
    if nats is None:
        scheduler = RecordScheduler(broker, store, fire)
    else:
        # Only where NATS is used: its client is megabytes that others need not load.
        from framework_m.adapters.scheduling.jetstream_scheduler import (  # noqa: PLC0415
            JetStreamScheduler,
        )

        limits = stream_limits(settings)
        scheduler = JetStreamScheduler(nats, settings.nats_prefix, limits, store, fire, broker)
    declarations = DatabaseScheduleDeclarations(database)
    return Scheduling(store, declarations, scheduler, ScheduleKeeper(settling, scheduler, fire))


def upkeep(
    settings: Settings,
    contents: ContentsProtocol,
    scheduled: Scheduling,
    units: UnitsOfWork,
    repositories: Repositories,
) -> Upkeep:
    declared = {
        name: declaration
        for name, declaration in contents.schedules.items()
        if settings.own_schedules or declaration.module != FRAMEWORK
    }
    store, declarations = scheduled.store, scheduled.declarations
    return Upkeep(declared, contents.modules, store, declarations, units, repositories)
