"""LISTEN on PostgreSQL, through reconnects."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy import text

from framework_m.core.errors import UnavailableError
from framework_m.core.outage import Outage, pause

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from framework_m.adapters.db.engine import Database

logger = logging.getLogger(__name__)

_CHECK_INTERVAL = 5.0


class Listener:
    """Calls back for every notification on a channel, and after every reconnect.

    Notifications sent while the connection was down are gone: the call after a reconnect, with
    an empty payload, says "look for yourself".
    """

    def __init__(self, database: Database, channel: str, heard: Callable[[str], None]) -> None:
        self._database = database.alone()
        self._channel = channel
        self._heard = heard
        self._stop = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._runner = asyncio.create_task(self._run(), name="postgresql-listen")

    async def close(self) -> None:
        self._stop.set()
        if self._runner is not None:
            await self._runner
        await self._database.close()

    async def _run(self) -> None:
        outage = Outage("notifications")
        while not self._stop.is_set():
            try:
                await self._listen(outage)
            except UnavailableError as error:
                await outage.wait(error, self._stop)
            except Exception as error:  # noqa: BLE001 - said by the outage
                # LISTEN goes past SQLAlchemy, to the driver's own errors; and whatever it is,
                # ending would not mend it.
                await outage.wait(error, self._stop)

    async def _listen(self, outage: Outage) -> None:
        async with self._database.read() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.add_listener(self._channel, self._on_notification)
            outage.over()
            self._heard("")
            try:
                while not self._stop.is_set():
                    await pause(_CHECK_INTERVAL, self._stop)
                    # A dead peer is noticed only by speaking to it.
                    await connection.execute(text("SELECT 1"))
                    await connection.commit()
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(self._channel, self._on_notification)

    def _on_notification(self, _driver: Any, _pid: int, _channel: str, payload: str) -> None:
        self._heard(payload)
