"""Handles one event of the group `dies`, and ends by its own hand before that is settled.

python -m tests.support.dies_after_effect LOG
"""

import asyncio
import os
import sys

from framework_m.core.interfaces.event_bus import ReceivedEvent
from tests.support.event_application import app
from tests.support.events import append


async def main() -> None:
    async def die(received: ReceivedEvent) -> None:
        append(sys.argv[1], received.message.event_id)
        os._exit(9)  # after the effect, before the acknowledgement

    async with app:
        await app.wait_until_ready()
        await app.events.subscribe("test.dies", die, group="dies", ordered=sys.argv[2] == "ordered")
        await asyncio.Event().wait()


asyncio.run(main())
