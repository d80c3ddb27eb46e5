"""The pace of a relay."""

import asyncio

from framework_m.core.outbox.pace import Pace


async def test_what_comes_alone_goes_at_once() -> None:
    async with asyncio.timeout(1):
        await Pace().gather()


async def test_what_follows_closely_gathers() -> None:
    pace = Pace()
    with pace.batch():
        pass
    gathering = asyncio.create_task(pace.gather())
    await asyncio.sleep(0)
    assert not gathering.done()
    await gathering


async def test_nobody_gathers_while_it_closes() -> None:
    pace = Pace()
    pace.close()
    with pace.batch():
        pass
    loop = asyncio.get_running_loop()
    began = loop.time()
    await pace.gather()
    assert loop.time() - began < 1
