"""Enqueueing over HTTP: for whom, once, and with the result where it comes soon."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from framework_m import FrameworkM, Queue, User
from framework_m.adapters.db.access_schema import job_replay
from tests.support import jobs
from tests.support.callers import ADMIN, CLERK, NOBODY, calling, fields
from tests.support.harness import Harness

ADD = {"job_name": "add", "args": {"a": 1}}
KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture
def app(papers: FrameworkM) -> FrameworkM:
    return papers


@pytest.fixture
async def clerk(app: FrameworkM) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app, CLERK) as client:
        yield client


async def test_a_job_is_its_callers(app: FrameworkM, clerk: httpx.AsyncClient) -> None:
    job_id = (await clerk.post("/api/v1/jobs", json=ADD)).json()["job_id"]
    job = await app.jobs.get(job_id)
    assert job is not None
    assert (job.user_id, job.user_roles) == ("clerk", ("Clerk",))


async def test_what_may_not_be_asked_for_is_unknown(app: FrameworkM) -> None:
    refusals: list[tuple[int, Any]] = []
    for user, name in ((CLERK, "add"), (NOBODY, "add"), (ADMIN, "describe_types")):
        async with calling(app, user) as client:
            for asked in (name, "q" * len(name)):
                answer = await client.post("/api/v1/jobs", json={"job_name": asked, "args": {}})
                refusals.append((answer.status_code, answer.text.replace(asked, "…")))
    allowed, unknown, *others = refusals
    assert allowed[0] == 422  # an argument is missing
    assert "args.a" in allowed[1]
    assert "args" not in unknown[1]
    for forbidden, of_nobody in zip(others[::2], others[1::2], strict=True):
        assert forbidden == of_nobody
    assert await app.jobs.list() == []


async def test_a_hint_names_only_what_may_be_asked_for(app: FrameworkM) -> None:
    for user, hint in ((CLERK, False), (ADMIN, True)):
        async with calling(app, user) as client:
            answer = await client.post("/api/v1/jobs", json={"job_name": "booms"})
            assert ("did you mean 'boom'" in fields(answer)["job_name"]) is hint


async def test_everybody_sees_their_own_jobs(app: FrameworkM, clerk: httpx.AsyncClient) -> None:
    mine = (await clerk.post("/api/v1/jobs", json=ADD)).json()["job_id"]
    other = User("other", frozenset({"Clerk"}))
    async with calling(app, other) as client:
        theirs = (await client.post("/api/v1/jobs", json=ADD)).json()["job_id"]
    nobodys = await jobs.add.enqueue(1)

    def ids(answer: httpx.Response) -> set[str]:
        return {job["job_id"] for job in answer.json()["items"]}

    assert ids(await clerk.get("/api/v1/jobs")) == {mine}
    assert ids(await clerk.get("/api/v1/jobs", params={"user": "clerk"})) == {mine}
    assert ids(await clerk.get("/api/v1/jobs", params={"user": "other"})) == set()
    assert (await clerk.get(f"/api/v1/jobs/{mine}")).status_code == 200
    unknown = "019e0000-0000-7000-8000-000000000000"
    for job_id in (theirs, nobodys, unknown):
        answer = await clerk.get(f"/api/v1/jobs/{job_id}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"no job has the id '{job_id}'"
    async with calling(app) as admin:
        assert ids(await admin.get("/api/v1/jobs")) == {mine, theirs, str(nobodys)}
        assert ids(await admin.get("/api/v1/jobs", params={"user": "other"})) == {theirs}
        assert (await admin.get(f"/api/v1/jobs/{nobodys}")).status_code == 200


async def test_a_request_that_comes_again_leads_to_the_same_job(
    app: FrameworkM, clerk: httpx.AsyncClient
) -> None:
    first = await clerk.post("/api/v1/jobs", json=ADD, headers=KEY)
    again = await clerk.post("/api/v1/jobs", json={**ADD, "delay": 0}, headers=KEY)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    other = await clerk.post("/api/v1/jobs", json={**ADD, "args": {"a": 2}}, headers=KEY)
    assert other.status_code == 422
    assert set(fields(other)) == {"Idempotency-Key"}
    async with calling(app) as admin:
        theirs = await admin.post("/api/v1/jobs", json=ADD, headers=KEY)
    assert theirs.json()["job_id"] != first.json()["job_id"], "keys are each user's own"
    assert len(await app.jobs.list()) == 2


async def test_many_at_once_lead_to_one_job(app: FrameworkM, clerk: httpx.AsyncClient) -> None:
    asked = [clerk.post("/api/v1/jobs", json=ADD, headers=KEY) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert len(await app.jobs.list()) == 1


async def test_a_request_that_was_refused_is_not_remembered(
    app: FrameworkM, clerk: httpx.AsyncClient
) -> None:
    wrong = await clerk.post("/api/v1/jobs", json={"job_name": "add"}, headers=KEY)
    assert wrong.status_code == 422
    assert (await clerk.post("/api/v1/jobs", json=ADD, headers=KEY)).status_code == 202
    assert len(await app.jobs.list()) == 1


async def test_after_a_day_a_key_is_new_again(app: FrameworkM, clerk: httpx.AsyncClient) -> None:
    first = (await clerk.post("/api/v1/jobs", json=ADD, headers=KEY)).json()
    job = await app.jobs.get(first["job_id"])
    assert job is not None
    long_ago = job.enqueued_at - timedelta(days=1, seconds=1)
    async with app.transaction() as tx:
        await tx.execute(update(job_replay).values(created_at=long_ago))
    second = (await clerk.post("/api/v1/jobs", json=ADD, headers=KEY)).json()
    assert first["job_id"] != second["job_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\xe4"])
async def test_a_key_that_cannot_be_kept_is_refused(clerk: httpx.AsyncClient, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    answer = await clerk.post("/api/v1/jobs", json=ADD, headers=headers)
    assert answer.status_code == 400
    assert set(fields(answer)) == {"Idempotency-Key"}


async def test_a_caller_may_wait_for_the_result(app: FrameworkM, clerk: httpx.AsyncClient) -> None:
    async with app.worker():
        answer = await clerk.post("/api/v1/jobs", json={**ADD, "wait": 20})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["result"]) == ("Success", 2)
        replayed = await clerk.post("/api/v1/jobs", json={**ADD, "wait": 20}, headers=KEY)
        again = await clerk.post("/api/v1/jobs", json={**ADD, "wait": 20}, headers=KEY)
        assert (again.status_code, again.json()) == (200, replayed.json())
        async with calling(app) as admin:
            failed = await admin.post("/api/v1/jobs", json={"job_name": "boom", "wait": 20})
        assert failed.status_code == 200
        assert failed.json()["status"] == "Failed"
        assert failed.json()["error"] == "ValueError: no luck"


async def test_who_waits_too_long_is_told_where_to_look(clerk: httpx.AsyncClient) -> None:
    answer = await clerk.post("/api/v1/jobs", json={**ADD, "wait": 0.05})
    assert answer.status_code == 202
    assert (await clerk.get(answer.headers["location"])).json()["status"] == "Queued"
    for wait in (-1, "long", 1e999):
        content = f'{{"job_name": "add", "args": {{"a": 1}}, "wait": {wait}}}'
        headers = {"content-type": "application/json"}
        answer = await clerk.post("/api/v1/jobs", content=content, headers=headers)
        assert answer.status_code in (400, 422)


async def test_a_wait_is_bounded_by_the_server(tmp_path: Any) -> None:
    from tests.support.paper_fixtures import application

    app = application(f"sqlite:///{tmp_path / 'wait.db'}", longest_wait=0.01)
    await app.migrate()
    async with app, calling(app, CLERK) as client, asyncio.timeout(20):
        assert (await client.post("/api/v1/jobs", json={**ADD, "wait": 1e9})).status_code == 202


async def test_a_unique_key_gives_the_job_that_is_there_and_is_the_callers_own(
    app: FrameworkM, clerk: httpx.AsyncClient
) -> None:
    body = {**ADD, "unique_key": "order 7"}
    first = (await clerk.post("/api/v1/jobs", json=body)).json()
    again = await clerk.post("/api/v1/jobs", json={**body, "args": {"a": 2}})
    assert again.status_code == 202
    assert again.json() == {
        "job_id": first["job_id"],
        "status": "Queued",
        "message": "add is there already: this is the one",
    }
    async with calling(app, ADMIN) as admin:
        other = (await admin.post("/api/v1/jobs", json=body)).json()
        assert other["job_id"] != first["job_id"]
    for key in ("", "x" * 256):
        answer = await clerk.post("/api/v1/jobs", json={**ADD, "unique_key": key})
        assert answer.status_code == 422
        assert set(fields(answer)) == {"unique_key"}


async def test_no_unique_key_reaches_the_job_of_another_user(app: FrameworkM) -> None:
    body = {"job_name": "add", "args": {"a": 40, "b": 2}, "unique_key": "ada:7"}
    async with calling(app, User("tenant", frozenset({"Clerk"}))) as client:
        theirs = (await client.post("/api/v1/jobs", json=body)).json()["job_id"]
    own = await jobs.add.options(unique_key="tenant:ada:7").enqueue(1)
    other = User("tenant:ada", frozenset({"Clerk"}))
    async with app.worker(), calling(app, other) as client:
        answer = await client.post("/api/v1/jobs", json={**ADD, "unique_key": "7", "wait": 20})
    assert answer.json()["job_id"] not in (theirs, str(own))
    assert answer.json()["result"] == 2, "of its own arguments"


async def test_another_queue_is_one_that_is_known(
    app: FrameworkM, clerk: httpx.AsyncClient
) -> None:
    for queue, status in (("misspelt", 400), ("a b", 422), ("", 422), (7, 422)):
        answer = await clerk.post("/api/v1/jobs", json={**ADD, "queue": queue})
        assert (answer.status_code, list(fields(answer))) == (status, ["queue"])
    assert await app.jobs.list() == []
    await app.repository(Queue).save(Queue(name="slow"))
    for known in ("slow", "default"):
        answer = await clerk.post("/api/v1/jobs", json={**ADD, "queue": known})
        job = await app.jobs.get(answer.json()["job_id"])
        assert job is not None
        assert job.queue == known


async def test_the_result_of_somebody_elses_unique_job_is_not_told(sqlite: Harness) -> None:
    body = {"job_name": "statement", "args": {"month": "11"}, "wait": 20}
    async with sqlite.application(["tests.support.unique_jobs"]) as app:
        async with calling(app, User("tenant", frozenset({"Clerk"}))) as client:
            theirs = (await client.post("/api/v1/jobs", json={**body, "wait": 0})).json()
        async with calling(app, CLERK) as clerk, calling(app, ADMIN) as admin, app.worker():
            asked = asyncio.ensure_future(admin.post("/api/v1/jobs", json=body))
            answer = await clerk.post("/api/v1/jobs", json=body)
            assert answer.status_code == 202
            assert "result" not in answer.json()
            assert answer.json()["job_id"] == theirs["job_id"]
            assert (await asked).json()["result"] == "11 as tenant sees it"
