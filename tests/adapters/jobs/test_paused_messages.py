"""Messages of paused queues: none is lost, and none is held by who does not want it."""

from datetime import timedelta

import pytest

from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.interfaces.job_store import ClaimTerms
from tests.support.harness import Harness, until

LEASE = timedelta(hours=1)
"""What is held by somebody who does not answer comes back after that long."""


async def claimed(harness: Harness, terms: ClaimTerms) -> Delivery:
    """The one job that this worker gets."""

    async def look() -> Delivery | None:
        found = await harness.app.ports.job_queue.claim(terms, 5)
        return found[0] if found else None

    return await until(look)


@pytest.fixture(params=["memory", "nats_sqlite"])
def harness(request: pytest.FixtureRequest) -> Harness:
    """Messages beside rows; with no sweep that would make good what was lost."""
    found: Harness = request.getfixturevalue(request.param)
    if found.app.ports.job_streams is not None:
        found.app.ports.job_streams.ack_wait = LEASE.total_seconds()
    return found


async def test_a_message_that_met_a_paused_queue_comes_again(harness: Harness) -> None:
    await harness.app.ports.start()
    terms = ClaimTerms("me", ("other",), LEASE)
    await harness.app.queues.pause("other")
    job_id = await harness.app.enqueue("on_another_queue")
    await harness.app.ports.relay.close()
    assert await harness.app.ports.job_queue.claim(terms, 5) == []
    await harness.app.queues.resume("other")
    assert (await claimed(harness, terms)).claim.job_id == job_id


async def test_nothing_is_on_its_way_from_a_queue_that_is_not_served(harness: Harness) -> None:
    await harness.app.ports.start()
    queue = harness.app.ports.job_queue
    both = ClaimTerms("me", ("default", "other"), LEASE)
    await queue.claim(both, 5)  # whatever comes first is asked for from now on
    here = await harness.app.enqueue("add", a=1)
    narrowed = ClaimTerms("me", ("default",), LEASE)
    assert (await claimed(harness, narrowed)).claim.job_id == here
    elsewhere = await harness.app.enqueue("on_another_queue")
    await harness.app.ports.relay.close()
    other = ClaimTerms("somebody else", ("other",), LEASE)
    assert (await claimed(harness, other)).claim.job_id == elsewhere
