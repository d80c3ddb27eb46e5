"""Schedules over HTTP: as records, and what may be done with them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from litestar import Litestar

from framework_m import FrameworkMPlugin
from framework_m.core.scheduling.firing import Fire
from framework_m.testing import Kit
from tests.support.callers import ADMIN, NOBODY, bearer, calling, fields
from tests.support.harness import Harness, until
from tests.support.scheduled_jobs import app as scheduled

RECORDS = "/api/v1/resource/ScheduledJob"
SCHEDULES = "/api/v1/schedules"
PREVIEW = f"{SCHEDULES}/preview"
VALID = {"name": "nightly", "function": "add", "cron_expression": "0 2 * * *", "args": {"a": 1}}
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
async def client(sqlite: Harness) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(sqlite.app) as client:
        yield client


@pytest.fixture
async def moved() -> AsyncIterator[tuple[Kit, httpx.AsyncClient]]:
    """An application whose clock the test moves."""
    async with Kit(scheduled) as kit:
        kit.clock.move_to(MIDNIGHT)
        async with calling(scheduled) as client:
            yield kit, client


async def saved(client: httpx.AsyncClient, **changed: Any) -> dict[str, Any]:
    answer = await client.post(RECORDS, json={**VALID, **changed})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.getfixturevalue(request.param)
    return found


async def test_a_schedule_lives_as_a_record(either: Harness) -> None:
    async with calling(either.app) as client:
        made = await saved(client, timezone="Europe/Berlin")
        path = f"{RECORDS}/nightly"
        assert made["description"] == "every day at 02:00, Europe/Berlin"
        assert (await client.get(path)).json() == made
        replaced = await client.put(path, json=made)
        assert (replaced.status_code, replaced.json()["next_run"]) == (200, made["next_run"])
        paused = (await client.patch(path, json={"enabled": False})).json()
        assert (paused["next_run"], paused["version"]) == (None, 3)
        changes = {"enabled": True, "cron_expression": "0 9 * * 1-5", "priority": 1}
        edited = (await client.patch(path, json=changes)).json()
        assert edited["description"] == "every weekday at 09:00, Europe/Berlin"
        assert edited["next_run"] is not None
        stands = (await client.get(f"{SCHEDULES}/nightly")).json()
        assert stands["next_runs"][0] == edited["next_run"]
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(f"{SCHEDULES}/nightly")).status_code == 404


async def test_what_the_framework_fills_is_ignored_where_it_is_sent(
    client: httpx.AsyncClient,
) -> None:
    sent = {"next_run": "whenever", "last_status": "Great", "declared_in": "mine", "last_job": 7}
    made = await saved(client, **sent)
    assert {made["declared_in"], made["last_status"], made["last_job"]} == {None}
    path = f"{RECORDS}/nightly"
    for answer in (
        await client.put(path, json={**VALID, **sent}),
        await client.patch(path, json=sent),
    ):
        assert (answer.status_code, answer.json()["next_run"]) == (200, made["next_run"])


async def test_the_etag_of_a_schedule_guards_edits_and_never_hides_what_fired(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    kit, client = moved
    await saved(client, function="report", args={"month": "May"}, cron_expression="@hourly")
    path = f"{RECORDS}/nightly"
    read = await client.get(path)
    kit.clock.move_to(MIDNIGHT + timedelta(hours=1, seconds=1))
    await kit.drain()
    again = await client.get(path, headers={"If-None-Match": read.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (200, read.headers["etag"])
    assert again.json()["last_run"] == "2026-11-26T01:00:00Z"
    unmoved = {"If-Match": read.headers["etag"]}
    edited = await client.patch(path, json={"enabled": False}, headers=unmoved)
    assert (edited.status_code, edited.json()["last_run"]) == (200, "2026-11-26T01:00:00Z")
    stale = await client.patch(path, json={"enabled": True}, headers=unmoved)
    assert stale.status_code == 412


async def test_a_schedule_that_code_declares_can_only_be_paused(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    async with sqlite.application(own_schedules=True) as declaring:
        await declaring.ports.upkeep.declare()
    path = f"{RECORDS}/framework_m.prune_jobs"
    read = (await client.get(path)).json()
    assert read["declared_in"] == "framework_m"
    refused = await client.patch(path, json={"cron_expression": "@hourly", "jitter": 5})
    assert (refused.status_code, set(fields(refused))) == (422, {"cron_expression", "jitter"})
    assert "declared in framework_m" in fields(refused)["jitter"]
    assert (await client.delete(path)).status_code == 409
    assert (await client.put(path, json=read)).status_code == 200
    assert (await client.patch(path, json={"enabled": False})).json()["enabled"] is False


WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({"cron_expression": "0 9 * *"}, {"cron_expression"}),
    ({"cron_expression": "61 * * * *"}, {"cron_expression"}),
    ({"cron_expression": ""}, {"cron_expression"}),
    ({"cron_expression": "0 0 30 2 *"}, {"cron_expression"}),
    ({"timezone": "Europe/Berln"}, {"timezone"}),
    ({"function": "ad"}, {"function"}),
    ({"args": {}}, {"args.a"}),
    ({"args": {"a": "one", "c": 2}}, {"args.a", "args.c"}),
    ({"args": [1]}, {"args"}),
    ({"queue": "no such name"}, {"queue"}),
    ({"priority": 5}, {"priority"}),
    ({"overlap": "maybe"}, {"overlap"}),
    ({"catch_up": "some", "catch_up_window": 0}, {"catch_up", "catch_up_window"}),
    ({"jitter": -1}, {"jitter"}),
    ({"start_date": "2027-01-01", "end_date": "2026-01-01"}, {"end_date"}),
    ({"name": "a/b"}, {"name"}),
    (
        {"function": "ad", "cron_expression": "?", "timezone": "Mars/Base"},
        {"function", "cron_expression", "timezone"},
    ),
    (
        {"priority": 9, "jitter": "x", "cron_expression": "?", "args": {"a": "one"}},
        {"priority", "jitter", "cron_expression", "args.a"},
    ),
    (
        {"function": None, "start_date": "2027-01-01", "end_date": "2026-01-01", "mode": 1},
        {"function", "end_date", "mode"},
    ),
    (
        {"args": {"b": 1}, "queue": "a b", "cron_expression": "?", "timezone": "x"},
        {"args.a", "queue", "cron_expression", "timezone"},
    ),
]


async def test_what_is_wrong_with_a_schedule_is_named_field_by_field(
    client: httpx.AsyncClient,
) -> None:
    for changed, named in WRONG:
        refused = await client.post(RECORDS, json={**VALID, **changed})
        assert (refused.status_code, set(fields(refused))) == (422, named), changed
    await saved(client, name="there", timezone="UTC")
    for method in ("PUT", "PATCH"):
        wrong = {"cron_expression": "?", "priority": 9, "args": {"a": "one"}}
        body = wrong if method == "PATCH" else {"timezone": "x", **wrong}
        refused = await client.request(method, f"{RECORDS}/there", json=body)
        named = {"PUT": {"function", "timezone"}, "PATCH": {"args.a"}}[method]
        assert set(fields(refused)) == named | {"cron_expression", "priority"}
    assert (await client.delete(f"{RECORDS}/there")).status_code == 204
    assert (await client.get(SCHEDULES)).json()["items"] == []


async def test_a_schedule_may_not_fire_more_often_than_the_floor_allows(sqlite: Harness) -> None:
    slow = sqlite.application(schedule_floor=60)
    async with slow, calling(slow) as client:
        refused = await client.post(RECORDS, json={**VALID, "cron_expression": "*/30 * * * * *"})
        assert refused.status_code == 422
        assert "every 60 s" in fields(refused)["cron_expression"]
        await saved(client, cron_expression="* * * * *")
        path = f"{RECORDS}/nightly"
        refused = await client.patch(path, json={"cron_expression": "@every 59s"})
        assert set(fields(refused)) == {"cron_expression"}


async def test_a_schedule_is_paused_resumed_and_listed(client: httpx.AsyncClient) -> None:
    await saved(client)
    await saved(client, name="hourly", cron_expression="@hourly", enabled=False)
    listed = (await client.get(SCHEDULES)).json()["items"]
    assert [(it["name"], it["enabled"], len(it["next_runs"])) for it in listed] == [
        ("hourly", False, 0),
        ("nightly", True, 5),
    ]
    paused = await client.post(f"{SCHEDULES}/nightly/pause")
    assert (paused.status_code, paused.json()["enabled"], paused.json()["next_runs"]) == (
        200,
        False,
        [],
    )
    resumed = await client.post(f"{SCHEDULES}/nightly/resume")
    assert (resumed.status_code, len(resumed.json()["next_runs"])) == (200, 5)


async def test_a_job_is_run_now_for_the_user_who_asks(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    await saved(client, enabled=False)
    await client.post("/api/v1/jobs", json={"job_name": "add", "args": {"a": 5}})
    ran = await client.post(f"{SCHEDULES}/nightly/run")
    told = ran.json()
    assert (ran.status_code, told["status"]) == (202, "Queued")
    assert ran.headers["location"] == f"/api/v1/jobs/{told['job_id']}"
    job = (await client.get(ran.headers["location"])).json()
    assert (job["schedule"], job["user_id"], job["args"]) == ("nightly", ADMIN.id, {"a": 1})
    mine = {"schedule": "nightly"}
    [found] = (await client.get("/api/v1/jobs", params=mine)).json()["items"]
    assert found["job_id"] == told["job_id"]
    assert (await client.get("/api/v1/jobs/count", params=mine)).json()["count"] == 1
    cancelled = (await client.post("/api/v1/jobs/cancel", params=mine)).json()
    assert (cancelled["matched"], cancelled["done"]) == (1, 1)
    assert len(await sqlite.app.jobs.list()) == 2


async def test_a_schedule_whose_function_is_gone_cannot_be_run(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    await saved(client)
    later = sqlite.application(modules=["tests.support.scheduled_jobs"])
    async with later, calling(later) as without:
        refused = await without.post(f"{SCHEDULES}/nightly/run")
        assert (refused.status_code, set(fields(refused))) == (422, {"function"})


async def test_the_history_of_a_schedule_is_read_in_pages(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    kit, client = moved
    await saved(client, function="report", args={"month": "May"}, cron_expression="@hourly")
    for hour in (1, 2, 3):
        kit.clock.move_to(MIDNIGHT + timedelta(hours=hour, seconds=1))
        await kit.drain()
    path = f"{SCHEDULES}/nightly/history"
    page = (await client.get(path, params={"limit": 2})).json()
    assert [(it["due_at"], it["status"]) for it in page["items"]] == [
        ("2026-11-26T03:00:00Z", "Success"),
        ("2026-11-26T02:00:00Z", "Success"),
    ]
    job = (await client.get(f"/api/v1/jobs/{page['items'][0]['job_id']}")).json()
    assert job["schedule"] == "nightly"
    rest = (await client.get(path, params={"limit": 2, "before": page["next"]})).json()
    assert [it["due_at"] for it in rest["items"]] == ["2026-11-26T01:00:00Z"]
    assert rest["next"] is None
    assert (await client.get(path)).json()["next"] is None


async def test_what_became_of_due_times_outlives_their_jobs(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    kit, client = moved
    await saved(client, function="report", args={"month": "May"}, cron_expression="@hourly")
    kit.clock.move_to(MIDNIGHT + timedelta(hours=1, seconds=1))
    await kit.drain()
    kit.clock.move_to(MIDNIGHT + timedelta(hours=2, seconds=1))
    await kit.drain()
    first, second = (await client.get(f"{SCHEDULES}/nightly/history")).json()["items"]
    assert (await client.delete(f"/api/v1/jobs/{first['job_id']}")).status_code == 204
    kit.clock.advance(days=8)
    pruned = await scheduled.retention.prune()
    assert pruned.removed["Success"] == 1
    told = (await client.get(f"{SCHEDULES}/nightly/history")).json()["items"]
    gone = {first["job_id"], second["job_id"]}
    assert [it["status"] for it in told if it["job_id"] in gone] == ["Success", "Success"]


async def test_a_due_time_whose_job_was_removed_before_it_ran_was_cancelled(
    sqlite: Harness, client: httpx.AsyncClient
) -> None:
    await saved(client, cron_expression="* * * * * *")
    ports = sqlite.app.ports

    async def fired() -> list[dict[str, Any]] | None:
        await Fire(ports.schedule_store, ports.units, ports.jobs, timedelta(10))(["nightly"])
        found: list[dict[str, Any]] = (await client.get(f"{SCHEDULES}/nightly/history")).json()[
            "items"
        ]
        return found or None

    [first, *_] = await until(fired)
    await client.post(f"{SCHEDULES}/nightly/pause")
    assert first["status"] == "Queued"
    assert (await client.delete(f"/api/v1/jobs/{first['job_id']}")).status_code == 204
    told = (await client.get(f"{SCHEDULES}/nightly/history")).json()["items"]
    assert [it["status"] for it in told if it["job_id"] == first["job_id"]] == ["Cancelled"]


async def test_a_page_of_history_that_means_nothing_is_refused(client: httpx.AsyncClient) -> None:
    await saved(client)
    wrong: list[tuple[Any, str]] = [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"before": "yesterday"}, "before"),
        ({"before": "null"}, "before"),
        ({"before": "2026-11-26T01:00:00"}, "before"),
        ({"before": "0001-01-01T00:00:00+14:00"}, "before"),
        ({"after": "2026-11-26T01:00:00Z"}, "after"),
        ([("limit", 1), ("limit", 2)], "limit"),
    ]
    for query, named in wrong:
        refused = await client.get(f"{SCHEDULES}/nightly/history", params=query)
        assert (refused.status_code, set(fields(refused))) == (400, {named}), query


async def test_an_expression_is_told_in_words_and_times(
    moved: tuple[Kit, httpx.AsyncClient],
) -> None:
    _, client = moved
    asked: dict[str, str | int] = {"cron": "30 8 * * 1-5", "timezone": "Europe/Berlin", "count": 3}
    told = await client.get(PREVIEW, params=asked)
    assert told.json() == {
        "description": "every weekday at 08:30, Europe/Berlin",
        "next_runs": [
            "2026-11-26T08:30:00+01:00",
            "2026-11-27T08:30:00+01:00",
            "2026-11-30T08:30:00+01:00",
        ],
    }
    by_default = (await client.get(PREVIEW, params={"cron": "@hourly"})).json()
    assert len(by_default["next_runs"]) == 10
    assert by_default["next_runs"][0] == "2026-11-26T01:00:00Z"


async def test_a_preview_of_what_is_no_time_is_refused(client: httpx.AsyncClient) -> None:
    wrong: list[tuple[Any, int, set[str]]] = [
        ({"cron": "0 0 30 2 *"}, 422, {"cron"}),
        ({"cron": "x", "timezone": "Mars/Base", "count": 0}, 422, {"cron", "timezone", "count"}),
        ({"cron": "@daily", "count": 101}, 422, {"count"}),
        ({"cron": "@daily", "count": "many"}, 422, {"count"}),
        ({"cron": "null", "timezone": "null"}, 422, {"cron", "timezone"}),
        ({"timezone": "Mars/Base"}, 422, {"cron", "timezone"}),
        ({}, 422, {"cron"}),
        ({"cron": "@daily", "zone": "UTC"}, 400, {"zone"}),
        ([("cron", "@daily"), ("cron", "@hourly")], 400, {"cron"}),
    ]
    for query, status, named in wrong:
        refused = await client.get(PREVIEW, params=query)
        assert (refused.status_code, set(fields(refused))) == (status, named), query


async def test_any_name_without_a_slash_is_reached(client: httpx.AsyncClient) -> None:
    for name in ("50 % off?", "a#b&c=d", "Größe €", "preview", "x" * 255):
        made = await client.post(RECORDS, json={**VALID, "name": name})
        assert made.status_code == 201
        location = made.headers["location"]
        assert location == f"{RECORDS}/{quote(name, safe='')}"
        assert (await client.get(location)).json()["name"] == name
        path = f"{SCHEDULES}/{quote(name, safe='')}"
        assert (await client.post(f"{path}/pause")).json()["name"] == name
        assert (await client.get(f"{path}/history")).json() == {"items": [], "next": None}
        if name != "preview":
            assert (await client.get(path)).json()["name"] == name


async def test_what_is_no_schedule_is_told_so(client: httpx.AsyncClient) -> None:
    for name in ("nightly", "%00", "x" * 300):
        path = f"{SCHEDULES}/{name}"
        answers = [
            await client.get(path),
            await client.get(f"{path}/history"),
            *[await client.post(f"{path}/{action}") for action in ("run", "pause", "resume")],
        ]
        assert [answer.status_code for answer in answers] == [404] * 5


async def test_schedules_are_for_those_who_may_do_everything(sqlite: Harness) -> None:
    async with calling(sqlite.app) as admin:
        await saved(admin)
    asked = [
        ("GET", SCHEDULES, 403),
        ("GET", f"{SCHEDULES}/nightly", 403),
        ("GET", f"{SCHEDULES}/nightly/history", 403),
        ("GET", f"{PREVIEW}?cron=@daily", 403),
        *[("POST", f"{SCHEDULES}/nightly/{done}", 403) for done in ("run", "pause", "resume")],
        ("GET", RECORDS, 403),
        ("POST", RECORDS, 403),
        ("GET", f"{RECORDS}/nightly", 404),
        ("PATCH", f"{RECORDS}/nightly", 404),
        ("DELETE", f"{RECORDS}/nightly", 404),
    ]
    async with calling(sqlite.app, NOBODY) as client, calling(sqlite.app, None) as stranger:
        for method, path, status in asked:
            body = {**VALID, "name": "other"} if method == "POST" and path == RECORDS else None
            body = {} if method == "PATCH" else body
            assert (await client.request(method, path, json=body)).status_code == status, path
            assert (await stranger.request(method, path, json=body)).status_code == 401
        probe = await client.post(RECORDS, json={**VALID, "function": "ad", "priority": 9})
        assert set(fields(probe)) <= {"priority"}, "nobody is told the names of functions"
    assert await sqlite.app.jobs.list() == []


async def test_the_schema_says_which_fields_are_filled(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/v1/meta/ScheduledJob")).json()
    filled = {name for name, it in told["json_schema"]["properties"].items() if it.get("readOnly")}
    own = {"description", "declared_in", "next_run", "last_run", "last_job", "last_status"}
    assert own < filled
    assert filled.isdisjoint(told["create_schema"]["properties"])
    assert set(told["create_schema"]["required"]) == {"function", "cron_expression"}
    document = (await client.get("/schema/openapi.json")).json()
    shown = document["components"]["schemas"]
    assert shown["ScheduledJob"]["properties"]["next_run"]["readOnly"] is True
    assert own.isdisjoint(shown["ScheduledJobPatch"]["properties"])
    assert {"name": "schedule", "in": "query"}.items() <= next(
        it
        for it in document["paths"]["/api/v1/jobs"]["get"]["parameters"]
        if it["name"] == "schedule"
    ).items()


async def test_locations_keep_the_prefix_of_the_plugin(sqlite: Harness) -> None:
    mounted = Litestar([], plugins=[FrameworkMPlugin(sqlite.app, prefix="/background")])
    transport = httpx.ASGITransport(mounted)  # type: ignore[arg-type]  # Litestar's messages
    headers = await bearer(sqlite.app, ADMIN)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test/background", headers=headers
    ) as client:
        await saved(client)
        ran = await client.post(f"{SCHEDULES}/nightly/run")
        path = ran.headers["location"]
        assert path == f"/background/api/v1/jobs/{ran.json()['job_id']}"
        await client.post(f"/api/v1/jobs/{ran.json()['job_id']}/cancel")
        again = await client.post(f"/api/v1/jobs/{ran.json()['job_id']}/retry")
        assert again.headers["location"] == f"/background/api/v1/jobs/{again.json()['job_id']}"
        assert (await client.get("/metrics")).status_code == 200
