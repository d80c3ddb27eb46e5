"""FastStream's rates, measured in its own environment: prints JSON.

python benchmarks/faststream_peer.py NATS_URL EVENTS
"""

import asyncio
import json
import sys
import time

import uvloop
from faststream.nats import JStream, NatsBroker, PullSub

DATA = {"text": "x" * 230}


async def main(url: str, count: int) -> None:
    stream = JStream("peer", subjects=["peer.>"])
    broker = NatsBroker(url, logger=None)
    done = asyncio.Event()
    pulled = PullSub(batch_size=100, timeout=1.0)
    broker.subscriber("peer.a", stream=stream, durable="peer", pull_sub=pulled)(_counting(0, done))
    await broker.connect()
    await broker.start()
    await broker.stop()  # the stream and its durable consumer are there now

    broker = NatsBroker(url, logger=None)
    await broker.connect()
    started = time.perf_counter()
    gate = asyncio.Semaphore(1000)

    async def publish() -> None:
        async with gate:
            await broker.publish(DATA, "peer.a", stream="peer")

    await asyncio.gather(*(publish() for _ in range(count)))
    published = count / (time.perf_counter() - started)
    await broker.stop()

    second = NatsBroker(url, logger=None)
    second.subscriber("peer.a", stream=stream, durable="peer", pull_sub=pulled)(
        _counting(count, done)
    )
    started = time.perf_counter()
    await second.start()
    await done.wait()
    consumed = count / (time.perf_counter() - started)
    await second.stop()
    print(json.dumps({"publish": published, "consume": consumed}))


def _counting(count: int, done: asyncio.Event):  # type: ignore[no-untyped-def]
    left = count

    async def handle(message: dict[str, str]) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    return handle


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
