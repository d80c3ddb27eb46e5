"""LISTEN goes on, whatever happens to it."""

import asyncio

from sqlalchemy import text

from framework_m.adapters.db.engine import Database
from framework_m.adapters.db.notifications import Listener


async def test_an_error_of_any_kind_does_not_end_it(postgresql_database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    errors = iter([RuntimeError("at the first word")])

    def hear(payload: str) -> None:
        for error in errors:
            raise error
        heard.put_nowait(payload)

    listener = Listener(postgresql_database, "a_channel", hear)
    listener.start()
    async with asyncio.timeout(20):
        assert await heard.get() == "", "it is there again, and says so"
        async with postgresql_database.begin() as connection:
            await connection.execute(text("SELECT pg_notify('a_channel', 'word')"))
        assert await heard.get() == "word"
    await listener.close()
