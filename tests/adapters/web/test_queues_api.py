"""Queues over HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest

from framework_m import Queue
from tests.support import jobs
from tests.support.callers import calling, fields
from tests.support.harness import Harness


@pytest.fixture
async def client(sqlite: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(sqlite.app) as client:
        yield client


async def test_a_queue_is_paused_seen_and_resumed(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    handle = await jobs.on_another_queue.enqueue()
    paused = await client.post("/api/v1/queues/other/pause")
    assert (paused.status_code, paused.json()["paused"], paused.json()["waiting"]) == (200, True, 1)
    assert (await client.get("/api/v1/queues/other")).json()["paused"] is True
    listed = (await client.get("/api/v1/queues")).json()["items"]
    assert [(queue["name"], queue["paused"]) for queue in listed] == [
        ("default", False),
        ("other", True),
    ]
    assert sqlite.app.ports.queue_states.is_paused("other")
    async with sqlite.app.worker():
        assert (await client.post("/api/v1/queues/other/resume")).json()["paused"] is False
        assert await handle.result(timeout=20) == "done"


async def test_the_record_is_a_document_like_any_other(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    made = await client.post("/api/v1/resource/Queue", json={"name": "slow", "concurrency": 2})
    assert made.status_code == 201
    path = "/api/v1/resource/Queue/slow"
    assert (await client.patch(path, json={"paused": True})).json()["version"] == 2
    assert sqlite.app.ports.queue_states.is_paused("slow")
    assert sqlite.app.ports.queue_states.limit_of("slow") == 2
    for body, field in (
        ({"name": "a b"}, "name"),
        ({"name": "a", "concurrency": 0}, "concurrency"),
    ):
        assert field in fields(await client.post("/api/v1/resource/Queue", json=body))
    assert (await client.delete(path)).status_code == 204
    assert not sqlite.app.ports.queue_states.is_paused("slow")


async def test_what_is_no_queue_is_told_so(sqlite: Harness, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/queues/unheard-of")).status_code == 404
    for path in ("a%20b", "a.b", "x" * 65):
        answers = [
            await client.get(f"/api/v1/queues/{path}"),
            await client.post(f"/api/v1/queues/{path}/pause"),
            await client.post(f"/api/v1/queues/{path}/resume"),
        ]
        assert [answer.status_code for answer in answers] == [422] * 3
        assert "name" in fields(answers[1])
    assert await sqlite.app.repository(Queue).count() == 0
