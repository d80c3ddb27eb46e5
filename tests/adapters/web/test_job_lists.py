"""Jobs over HTTP: found by any filter, counted, and many of them acted on at once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from framework_m import JobStatus, User, acting_as
from framework_m.core.ids import uuid7
from tests.support import jobs
from tests.support.callers import CLERK, NOBODY, calling, fields
from tests.support.harness import Harness

JOBS = "/api/v1/jobs"


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(harness.app) as client:
        yield client


@pytest.fixture
async def clerk(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(harness.app, CLERK) as client:
        yield client


async def asked_by(user: User, n: int, **options: Any) -> str:
    with acting_as(user):
        return await jobs.add.options(**options).enqueue(n)


async def listed(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get(JOBS, params=query)
    assert answer.status_code == 200, answer.text
    return [item["job_id"] for item in answer.json()["items"]]


async def counted(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"{JOBS}/count", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_every_filter_finds_its_jobs_and_counts_them(
    harness: Harness, client: httpx.AsyncClient
) -> None:
    old, new = await asked_by(CLERK, 1, tags=["blue", "red"]), await jobs.on_another_queue.enqueue()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await harness.change(old, enqueued_at=yesterday)
    await harness.app.jobs.cancel(new)
    noon = (datetime.now(UTC) - timedelta(hours=12)).isoformat()
    for query, found in (
        ({}, [new, old]),
        ({"status": "Queued"}, [old]),
        ({"job_name": "on_another_queue"}, [new]),
        ({"queue": "default"}, [old]),
        ({"user": "clerk"}, [old]),
        ({"tag": "nothing"}, []),
        ({"since": noon}, [new]),
        ({"until": noon}, [old]),
        ({"since": yesterday.isoformat(), "until": noon, "status": "Queued"}, [old]),
        ({"until": yesterday.isoformat()}, []),
        ({"queue": "default", "status": "Cancelled"}, []),
        ({"job_name": "long gone"}, []),
    ):
        assert await listed(client, **query) == found, query
        assert await counted(client, **query) == {"count": len(found), "is_exact": True}, query


async def test_pages_follow_the_time_of_asking(harness: Harness, client: httpx.AsyncClient) -> None:
    made = [await jobs.add.enqueue(n) for n in range(5)]
    moment = datetime.now(UTC)
    for age, job_id in enumerate(made):  # the oldest ids are the newest jobs
        await harness.change(job_id, enqueued_at=moment - timedelta(seconds=age // 2))
    in_order = [made[1], made[0], made[3], made[2], made[4]]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} if cursor is None else {"limit": "2", "cursor": cursor}
        page = (await client.get(JOBS, params=query)).json()
        seen += [item["job_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == in_order


ACTIONS = ("CANCEL", "RETRY", "DELETE")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("colour=red", "colour"),
        ("status=Sleeping", "status"),
        ("status=null", "status"),
        ("since=null", "since"),
        ("until=Null", "until"),
        ("since=253402300800", "since"),
        ("status=Failed&status=Queued", "status"),
        ("since=yesterday", "since"),
        ("since=2026-11-25T12:00:00", "since"),
        ("until=2026-11-25", "until"),
        ("until=0001-01-01T00:00:00%2B14:00", "until"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused_by_name(
    client: httpx.AsyncClient, query: str, wrong: str
) -> None:
    for method in ("GET", "COUNT", *ACTIONS):
        answer = await asked(client, method, query)
        assert answer.status_code == 400, answer.text
        assert set(fields(answer)) == {wrong}


async def asked(client: httpx.AsyncClient, method: str, query: str) -> httpx.Response:
    if method in {"GET", "DELETE"}:
        return await client.request(method, f"{JOBS}?{query}")
    if method == "COUNT":
        return await client.get(f"{JOBS}/count?{query}")
    return await client.post(f"{JOBS}/{method.lower()}?{query}")


async def test_a_damaged_cursor_is_refused(client: httpx.AsyncClient) -> None:
    for cursor in ("nonsense", "ä", "bm8gZGF0ZQ", "MjAyNi0xMS0yNSAx", "A" * 10_000, "", "\x00"):
        answer = await client.get(JOBS, params={"cursor": cursor})
        assert (answer.status_code, set(fields(answer))) == (400, {"cursor"})


async def test_nothing_is_done_to_all_jobs_by_mistake(
    harness: Harness, client: httpx.AsyncClient
) -> None:
    await jobs.add.enqueue(1)
    for method in ACTIONS:
        for query in ("", "limit=5", "all=false"):
            answer = await asked(client, method, query)
            assert (answer.status_code, set(fields(answer))) == (400, {"all"})
        answer = await asked(client, method, "limit=0&all=true")
        assert (answer.status_code, set(fields(answer))) == (400, {"limit"})
    assert [job.status for job in await harness.app.jobs.list()] == [JobStatus.QUEUED]


async def test_many_jobs_are_cancelled_run_again_and_deleted(
    harness: Harness, client: httpx.AsyncClient
) -> None:
    made = [await jobs.add.enqueue(n) for n in range(5)]
    other = await jobs.on_another_queue.enqueue()
    query = "job_name=add&limit=3"
    first = (await asked(client, "CANCEL", query)).json()
    assert (first["matched"], first["done"], first["refused"]) == (3, 3, [])
    rest = (await asked(client, "CANCEL", f"{query}&cursor={first['next_cursor']}")).json()
    assert rest == {"matched": 2, "done": 2, "refused": [], "next_cursor": None}
    assert await listed(client, status="Cancelled") == made[::-1]
    assert (await asked(client, "CANCEL", query)).json()["matched"] == 0

    again = (await asked(client, "RETRY", "status=Cancelled")).json()
    assert again == {"matched": 5, "done": 5, "refused": [], "next_cursor": None}
    assert (await asked(client, "RETRY", "status=Cancelled")).json()["matched"] == 0
    queued = await harness.app.jobs.list(status=JobStatus.QUEUED, job_name="add")
    assert [job.retry_of for job in queued] == made[::-1]

    gone = (await asked(client, "DELETE", "status=Cancelled")).json()
    assert (gone["matched"], gone["done"]) == (5, 5)
    assert (await asked(client, "DELETE", "all=true")).json()["done"] == 6
    assert await listed(client) == []
    assert (await client.get(f"{JOBS}/{other}")).status_code == 404


async def test_users_count_and_act_on_their_own_jobs_only(
    harness: Harness, clerk: httpx.AsyncClient
) -> None:
    theirs, own = await asked_by(NOBODY, 1), await asked_by(CLERK, 2)
    for query in ({}, {"user": "clerk"}):
        assert await listed(clerk, **query) == [own]
        assert await counted(clerk, **query) == {"count": 1, "is_exact": True}
    assert await listed(clerk, user="nobody") == []
    assert (await counted(clerk, user="nobody"))["count"] == 0
    for method in ACTIONS:
        for others in ("user=nobody", "all=true&user=nobody"):
            assert (await asked(clerk, method, others)).json()["matched"] == 0
    assert (await asked(clerk, "CANCEL", "all=true")).json()["done"] == 1
    assert (await asked(clerk, "RETRY", "status=Cancelled")).json()["done"] == 1
    assert (await asked(clerk, "DELETE", "all=true")).json()["done"] == 2
    [left] = await harness.app.jobs.list()
    assert (left.job_id, left.status) == (theirs, JobStatus.QUEUED)


async def test_what_cannot_be_run_again_is_told(harness: Harness, clerk: httpx.AsyncClient) -> None:
    with acting_as(CLERK):
        forbidden = await jobs.on_another_queue.enqueue()
    unfit, fine = await asked_by(CLERK, 1), await asked_by(CLERK, 2)
    gone = await asked_by(CLERK, 3)
    await harness.change(unfit, args='{"a": "x"}')
    await harness.change(gone, job_name="long_gone")
    assert (await asked(clerk, "CANCEL", "all=true")).json()["done"] == 4
    told = (await asked(clerk, "RETRY", "status=Cancelled")).json()
    assert (told["matched"], told["done"]) == (4, 1)
    reasons = {item["job_id"]: item["reason"] for item in told["refused"]}
    assert reasons.keys() == {forbidden, unfit, gone}
    assert "no job function is named 'on_another_queue'" in reasons[forbidden]
    assert "do not fit" in reasons[unfit]
    [again] = await harness.app.jobs.list(status=JobStatus.QUEUED)
    assert again.retry_of == fine


async def test_counting_and_cancelling_are_no_ids(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{JOBS}/count")).json() == {"count": 0, "is_exact": True}
    assert (await client.post(f"{JOBS}/{uuid7()}/cancel")).status_code == 404
