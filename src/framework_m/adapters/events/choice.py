"""Which bus, and the tables beside it. The composition root says with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m.adapters.db.event_deliveries import EventDeliveries
from framework_m.adapters.db.event_letters import DeadLetters
from framework_m.adapters.db.event_log import EventLog
from framework_m.adapters.db.event_outbox import EventOutbox
from framework_m.adapters.events.database import DatabaseEventBus, notify_channel
from framework_m.adapters.events.in_memory import InMemoryEventBus
from framework_m.core.metrics import Metrics

if TYPE_CHECKING:
    from framework_m.adapters.db.engine import Database
    from framework_m.adapters.events.bus import BusOptions, EventBusBase
    from framework_m.adapters.nats.connection import NatsConnection
    from framework_m.adapters.nats.streams import StreamLimits


@dataclass(frozen=True, slots=True)
class OverNats:
    """What a bus on NATS needs."""

    connection: NatsConnection
    prefix: str
    limits: StreamLimits


@dataclass(frozen=True, slots=True)
class EventPorts:
    """What carries events, and where they are kept on the way."""

    bus: EventBusBase
    outbox: EventOutbox
    log: EventLog
    letters: DeadLetters


def choose(
    options: BusOptions, database: Database, *, in_memory: bool, nats: OverNats | None
) -> EventPorts:
    """The bus on NATS, in memory, or in the database itself."""
    log = EventLog(database, notify_channel=notify_channel(database.schema))
    letters = DeadLetters(database)
    bus: EventBusBase
    if nats is not None:
        bus = _over_nats(options, database, nats, letters)
    elif in_memory:
        bus = InMemoryEventBus(options, Metrics(), letters)
    else:
        bus = DatabaseEventBus(options, Metrics(), database, log, EventDeliveries(database))
    outbox = EventOutbox(reserved=database, placed=not bus.drains_outbox)
    return EventPorts(bus, outbox, log, letters)


def _over_nats(
    options: BusOptions, database: Database, nats: OverNats, letters: DeadLetters
) -> EventBusBase:
    # Only where NATS is used: its client is megabytes that others need not load.
    from framework_m.adapters.db.event_pump import PumpedGroups  # noqa: PLC0415
    from framework_m.adapters.events.nats_event_bus import NatsEventBusAdapter  # noqa: PLC0415

    return NatsEventBusAdapter(
        options,
        Metrics(),
        nats.connection,
        nats.prefix,
        nats.limits,
        letters,
        EventDeliveries(database),
        PumpedGroups(database),
    )
