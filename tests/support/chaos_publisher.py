"""Publishes from transactions of which half roll back, until it is killed or has done its share.

python -m tests.support.chaos_publisher LOG TRANSACTIONS
"""

import asyncio
import random
import sys

from framework_m import BaseEvent
from framework_m.core.errors import UnavailableError
from tests.support.event_application import app
from tests.support.events import DOCUMENTS, Counter


class RolledBack(Exception):
    pass


async def transact(log: str) -> None:
    """Count one document up, and say so: both or neither."""
    name = f"d{random.randrange(DOCUMENTS)}"
    async with app.transaction() as tx:
        counter = await tx.repository(Counter).get(name, for_update=True)
        counter.total += 1
        await tx.repository(Counter).save(counter)
        told = {"log": log, "n": counter.total}
        event = BaseEvent(event_type="test.counted", doctype="Counter", doc_id=name, data=told)
        await tx.publish(event)
        if random.random() < 0.5:
            raise RolledBack


async def main(log: str, transactions: int) -> None:
    async with app, app.serving():
        for _ in range(transactions):
            try:
                await transact(log)
            except (RolledBack, UnavailableError):
                continue


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
