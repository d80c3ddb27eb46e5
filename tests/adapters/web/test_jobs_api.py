"""Jobs over HTTP, with a real database behind it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m import JobStatus
from framework_m.core.ids import uuid7
from tests.support import jobs
from tests.support.callers import calling, fields
from tests.support.harness import Harness

JSON = {"content-type": "application/json"}


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(harness.app) as client:
        yield client


async def test_an_enqueued_job_can_be_followed_to_its_result(
    harness: Harness, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 1}})
    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["status"] == "Queued"
    assert accepted["message"]
    where = answer.headers["location"]
    assert where == f"/api/v1/jobs/{accepted['job_id']}"
    async with harness.app.worker():
        await harness.ended(accepted["job_id"])
    job = (await client.get(where)).json()
    assert (job["status"], job["result"], job["args"]) == ("Success", 2, {"a": 1})
    assert job["duration_seconds"] >= 0


async def test_a_delay_and_a_trace_are_kept(harness: Harness, client: httpx.AsyncClient) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"job_name": "add", "args": {"a": 1}, "delay": 3600}
    for header, kept in ((trace, trace), ("nonsense", None)):
        answer = await client.post("/api/v1/jobs", json=body, headers={"traceparent": header})
        assert answer.json()["status"] == "Scheduled"
        job = await harness.record(answer.json()["job_id"])
        assert (job.status, job.trace_context) == (JobStatus.SCHEDULED, kept)
        assert (job.scheduled_at - job.enqueued_at).total_seconds() == pytest.approx(3600, abs=1)


async def test_types_may_be_written_as_json_has_them(client: httpx.AsyncClient) -> None:
    args = {"gate": "/tmp/a", "log": "/tmp/b"}
    answer = await client.post("/api/v1/jobs", json={"job_name": "wait_for", "args": args})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "wrong"),
    [
        ({"job_name": "adds", "args": {}}, 422, {"job_name"}),
        ({"job_name": "add", "args": {"a": "x"}}, 422, {"args.a"}),
        ({"job_name": "add"}, 422, {"args.a"}),
        ({"job_name": "add", "args": {"a": 1}, "delay": -1}, 422, {"delay"}),
        ({"job_name": "add", "args": {"a": 1}, "delay": 1e300}, 422, {"delay"}),
        ({"job_name": "add", "args": {"a": 1, "c": 2, "self": 3}}, 422, {"args.c", "args.self"}),
        ({"job_name": "add", "args": {"a": 1}, "application": 1}, 422, {"application"}),
        ({"job_name": "add", "args": {"a": 1}, "request": 1, "data": 1}, 422, {"request", "body"}),
        ({"args": {}}, 422, {"job_name"}),
        ({"job_name": 1, "args": []}, 422, {"job_name", "args"}),
        ({"job_name": "add", "args": {"a": 1}, "user": "me"}, 422, {"user"}),
        ([], 422, {"body"}),
        (None, 422, {"body"}),
    ],
)
async def test_a_body_that_does_not_fit_names_its_fields(
    harness: Harness, client: httpx.AsyncClient, body: object, status: int, wrong: set[str]
) -> None:
    answer = await client.post("/api/v1/jobs", content=json.dumps(body), headers=JSON)
    assert answer.status_code == status
    assert set(fields(answer)) == wrong
    assert await harness.app.jobs.list() == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{nope", 400),
        (b"", 422),
        (b'{"job_name": "\\ud800"}', 400),
        (b'{"job_name": "add", "args": {"a": NaN}}', 400),
        (b'{"job_name": "add", "args": {"a": ' + b"9" * 10_000 + b"}}", 400),
        (b'{"job_name": "add", "args": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", 400),
        ('{"job_name": "add"}'.encode("utf-16"), 400),
        (b'{"job_name": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=["malformed", "empty", "surrogate", "nan", "huge number", "deep", "utf-16", "too large"],
)
async def test_a_body_that_cannot_be_read_is_refused(
    harness: Harness, client: httpx.AsyncClient, content: bytes, status: int
) -> None:
    answer = await client.post("/api/v1/jobs", content=content, headers=JSON)
    assert answer.status_code == status
    fields(answer)
    assert await harness.app.jobs.list() == []


async def test_a_body_without_a_declared_length_is_limited_too(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"x" * 10_000

    answer = await client.post("/api/v1/jobs", content=endless(), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(
    client: httpx.AsyncClient, media_type: str
) -> None:
    body = b'{"job_name": "add", "args": {"a": 1}}'
    answer = await client.post("/api/v1/jobs", content=body, headers={"content-type": media_type})
    assert answer.status_code == 415


async def test_jobs_are_listed_by_filter_and_page(
    harness: Harness, client: httpx.AsyncClient
) -> None:
    made = [await jobs.add.enqueue(n) for n in range(5)]
    await jobs.on_another_queue.enqueue()

    first = (await client.get("/api/v1/jobs", params={"job_name": "add", "limit": 3})).json()
    rest = (
        await client.get(
            "/api/v1/jobs",
            params={"job_name": "add", "limit": 3, "cursor": first["next_cursor"]},
        )
    ).json()
    seen = [item["job_id"] for item in (*first["items"], *rest["items"])]
    assert seen == [str(job_id) for job_id in reversed(made)]
    assert rest["next_cursor"] is None

    other = (await client.get("/api/v1/jobs", params={"queue": "other"})).json()
    assert [item["job_name"] for item in other["items"]] == ["on_another_queue"]
    none = (await client.get("/api/v1/jobs", params={"status": JobStatus.FAILED})).json()
    assert none == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"colour": "red"}, "colour"),
        ({"status": "Sleeping"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "ä"}, "cursor"),
    ],
)
async def test_a_query_that_means_nothing_is_refused_by_name(
    client: httpx.AsyncClient, query: dict[str, str], wrong: str
) -> None:
    answer = await client.get("/api/v1/jobs", params=query)
    assert answer.status_code == 400
    assert set(fields(answer)) == {wrong}


async def test_an_id_is_malformed_or_unknown(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/jobs/nonsense")).status_code == 400
    assert (await client.get(f"/api/v1/jobs/{uuid7()}")).status_code == 404


async def test_errors_of_the_server_itself_have_the_same_form(client: httpx.AsyncClient) -> None:
    missing = await client.get("/api/v1/nothing")
    assert (missing.status_code, fields(missing)) == (404, {})
    wrong = await client.put("/api/v1/jobs")
    assert (wrong.status_code, fields(wrong)) == (405, {})


async def test_health_and_schema(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    for path in ("/schema", "/schema/openapi.json"):
        document = (await client.get(path)).json()
        assert {"delete", "get", "post"} == set(document["paths"]["/api/v1/jobs"])
        assert "JobLog" in document["components"]["schemas"]


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
bodies = st.fixed_dictionaries(
    {}, optional={"job_name": st.sampled_from(["add", "boom"]) | anything, "args": anything}
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=bodies.map(json.dumps).map(str.encode) | st.binary(max_size=200))
async def test_no_body_is_a_server_error(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/v1/jobs", content=body, headers=JSON)
    assert answer.status_code < 500
