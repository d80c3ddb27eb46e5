"""Cancelling, retrying and deleting jobs over HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest

from framework_m import JobStatus, User
from framework_m.core.identity import acting_as
from framework_m.core.ids import uuid7
from tests.support.callers import calling
from tests.support.harness import Harness

ADA = User("ada", frozenset({"Clerk"}))
BOB = User("bob", frozenset({"Clerk"}))
PLAIN_ADA = User("ada", frozenset())


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


@pytest.fixture
async def ada(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(harness.app, ADA) as client:
        yield client


async def of_ada(harness: Harness, name: str = "add", **args: object) -> str:
    with acting_as(ADA):
        return (await harness.app.enqueue(name, **args)).job_id


async def test_a_waiting_job_is_cancelled_once(harness: Harness, ada: httpx.AsyncClient) -> None:
    job_id = await of_ada(harness, a=1)
    answer = await ada.post(f"/api/v1/jobs/{job_id}/cancel")
    assert answer.status_code == 202
    assert answer.json() == {
        "job_id": job_id,
        "status": "Cancelled",
        "message": "add was cancelled",
    }
    again = await ada.post(f"/api/v1/jobs/{job_id}/cancel")
    assert again.status_code == 409
    assert "has already ended: Cancelled" in again.json()["detail"]


async def test_a_running_job_is_asked_to_stop(harness: Harness, ada: httpx.AsyncClient) -> None:
    async with harness.app.worker():
        gate = harness.folder / "never"
        job_id = await of_ada(harness, "wait_for", gate=gate, log=harness.folder / "log")
        await harness.reached(job_id, JobStatus.RUNNING)
        answer = await ada.post(f"/api/v1/jobs/{job_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "Running")
        assert (await harness.ended(job_id)).status is JobStatus.CANCELLED


async def test_a_finished_job_is_run_again(harness: Harness, ada: httpx.AsyncClient) -> None:
    job_id = await of_ada(harness, a=1)
    early = await ada.post(f"/api/v1/jobs/{job_id}/retry")
    assert early.status_code == 409
    assert "has not ended yet" in early.json()["detail"]
    async with harness.app.worker():
        await harness.ended(job_id)
        answer = await ada.post(f"/api/v1/jobs/{job_id}/retry")
        assert answer.status_code == 202
        again = answer.json()["job_id"]
        assert answer.headers["location"] == f"/api/v1/jobs/{again}"
        job = await harness.ended(again)
    assert (job.retry_of, job.result, job.user_id) == (job_id, 2, "ada")


async def test_a_unique_job_that_is_there_already_is_the_answer(
    harness: Harness, ada: httpx.AsyncClient
) -> None:
    wanted = {"job_name": "add", "args": {"a": 1}, "unique_key": "k"}
    first = (await ada.post("/api/v1/jobs", json=wanted)).json()["job_id"]
    await ada.post(f"/api/v1/jobs/{first}/cancel")
    second = (await ada.post("/api/v1/jobs", json=wanted)).json()["job_id"]
    answer = (await ada.post(f"/api/v1/jobs/{first}/retry")).json()
    assert (answer["job_id"], answer["message"]) == (
        second,
        "add is there already: this is the one",
    )


async def test_whoever_may_not_ask_for_it_may_not_ask_again(harness: Harness) -> None:
    job_id = await of_ada(harness, a=1)
    async with harness.app.worker():
        await harness.ended(job_id)
    async with calling(harness.app, PLAIN_ADA) as client:
        answer = await client.post(f"/api/v1/jobs/{job_id}/retry")
        assert answer.status_code == 422
    async with calling(harness.app) as admin:
        again = (await admin.post(f"/api/v1/jobs/{job_id}/retry")).json()["job_id"]
    job = await harness.record(again)
    assert (job.user_id, job.user_roles) == ("ada", ("Clerk",)), "it stays hers"


async def test_arguments_that_fit_no_more_are_told(
    harness: Harness, ada: httpx.AsyncClient
) -> None:
    job_id = await of_ada(harness, a=1)
    await harness.change(job_id, args='{"b": 2}', status="Failed")
    answer = await ada.post(f"/api/v1/jobs/{job_id}/retry")
    assert answer.status_code == 422
    assert "is missing" in answer.text


async def test_a_job_is_deleted(harness: Harness, ada: httpx.AsyncClient) -> None:
    job_id = await of_ada(harness, a=1)
    answer = await ada.delete(f"/api/v1/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await ada.get(f"/api/v1/jobs/{job_id}")).status_code == 404


@pytest.mark.parametrize("action", ["/cancel", "/retry", ""])
async def test_other_peoples_jobs_do_not_exist(harness: Harness, action: str) -> None:
    job_id = await of_ada(harness, a=1)
    method = "POST" if action else "DELETE"
    cases = {
        (BOB, job_id): 404,
        (ADA, uuid7()): 404,
        (ADA, "no-uuid"): 400,
        (None, job_id): 401,
    }
    for (user, asked), expected in cases.items():
        async with calling(harness.app, user) as client:
            answer = await client.request(method, f"/api/v1/jobs/{asked}{action}")
            assert answer.status_code == expected, (user, asked, answer.text)
    assert (await harness.record(job_id)).status is JobStatus.QUEUED
