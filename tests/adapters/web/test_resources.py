"""Documents over HTTP: read, written, patched, submitted, and refused by name."""

import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from framework_m import FrameworkM, User, acting_as
from tests.support.callers import calling, fields
from tests.support.papers import Hidden, Mood, Paper, Shelf

PAPERS = "/api/v1/resource/Paper"
SHELVES = "/api/v1/resource/Shelf"
JSON = {"content-type": "application/json"}


@pytest.fixture
def app(papers: FrameworkM) -> FrameworkM:
    return papers


@pytest.fixture
async def client(app: FrameworkM) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app) as client:
        yield client


async def made(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    answer = await client.post(PAPERS, json={"title": "A paper", **values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_document_is_created_and_read(app: FrameworkM, client: httpx.AsyncClient) -> None:
    body = {
        "title": "On types",
        "price": "10.50",
        "day": "2026-11-01",
        "mood": "bad",
        "notes": [{"text": "a", "weight": "1.5", "inner": {"text": "b"}}],
        "extra": {"deep": [1, {"x": None}]},
        "raw": base64.urlsafe_b64encode(b"\x00\xff").decode(),
        "key": "hunter2",
    }
    answer = await client.post(PAPERS, json=body)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert answer.headers["location"] == f"{PAPERS}/{found['name']}"
    assert answer.headers["etag"] == '"1"'
    assert (found["price"], found["mood"], found["owner"]) == ("10.50", "bad", "admin")
    assert "key" not in found
    assert "hunter2" not in answer.text
    read = await client.get(answer.headers["location"])
    assert (read.json(), read.headers["etag"]) == (found, '"1"')
    stored = await app.repository(Paper).get(found["name"])
    assert (stored.price, stored.mood, stored.raw) == (Decimal("10.50"), Mood.BAD, b"\x00\xff")
    assert stored.key is not None
    assert stored.key.get_secret_value() == "hunter2"


async def test_put_replaces_and_keeps_what_only_the_server_knows(
    app: FrameworkM, client: httpx.AsyncClient
) -> None:
    first = await made(client, pages=7, tags=["a"], key="hunter2")
    path = f"{PAPERS}/{first['name']}"
    changed = (await client.put(path, json={"title": "Shorter"})).json()
    assert (changed["title"], changed["pages"], changed["tags"]) == ("Shorter", 0, [])
    assert (changed["version"], changed["creation"]) == (2, first["creation"])
    stored = await app.repository(Paper).get(first["name"])
    assert stored.key is not None
    assert stored.key.get_secret_value() == "hunter2"
    again = await client.put(path, json={**changed, "title": "As it was read, and changed"})
    assert again.status_code == 200, again.text
    assert (await client.put(path, json={"title": "x", "key": None})).status_code == 200
    assert (await app.repository(Paper).get(first["name"])).key is None


async def test_patch_merges(client: httpx.AsyncClient) -> None:
    paper = await made(client, pages=7, ratio=0.5, extra={"a": 1, "b": {"c": 2}}, number="7")
    path = f"{PAPERS}/{paper['name']}"
    headers = {"content-type": "application/merge-patch+json"}
    patch = {"pages": None, "ratio": None, "extra": {"a": None, "b": {"d": 3}}, "title": "New"}
    found = await client.patch(path, content=json.dumps(patch), headers=headers)
    assert found.status_code == 200, found.text
    changed = found.json()
    assert (changed["pages"], changed["ratio"], changed["number"]) == (0, None, "7")
    assert changed["extra"] == {"b": {"c": 2, "d": 3}}
    assert (await client.patch(path, json={"title": None})).status_code == 422
    assert (await client.patch(path, json={})).json()["version"] == 3


async def test_a_stale_version_is_refused(client: httpx.AsyncClient) -> None:
    paper = await made(client)
    path = f"{PAPERS}/{paper['name']}"
    assert (await client.patch(path, json={"pages": 1}, headers={"If-Match": '"1"'})).is_success
    for answer in (
        await client.patch(path, json={"pages": 2}, headers={"If-Match": '"1"'}),
        await client.put(path, json={"title": "x"}, headers={"If-Match": 'W/"2"'}),
        await client.put(path, json={**paper, "title": "x"}),
        await client.patch(path, json={"version": 1, "title": "x"}),
        await client.delete(path, headers={"If-Match": '"1"'}),
        await client.post(f"{path}/submit", headers={"If-Match": '"1"'}),
    ):
        assert answer.status_code == 412
        fields(answer)
    assert (await client.get(path)).json()["pages"] == 1
    for header in ('"7", "2"', "*"):
        assert (await client.patch(path, json={}, headers={"If-Match": header})).is_success


async def test_what_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    paper = await made(client)
    path = f"{PAPERS}/{paper['name']}"
    for known, status in (
        ('"1"', 304),
        ('W/"1"', 304),
        ('"0", "1"', 304),
        ("*", 304),
        ('"2"', 200),
    ):
        answer = await client.get(path, headers={"If-None-Match": known})
        assert answer.status_code == status
        assert (answer.content == b"") is (status == 304)
        assert answer.headers["etag"] == '"1"'


async def test_a_document_is_submitted_and_cancelled(client: httpx.AsyncClient) -> None:
    paper = await made(client)
    path = f"{PAPERS}/{paper['name']}"
    assert (await client.post(f"{path}/cancel")).status_code == 409
    submitted = await client.post(f"{path}/submit")
    assert (submitted.status_code, submitted.json()["docstatus"]) == (200, "submitted")
    for answer in (
        await client.post(f"{path}/submit"),
        await client.put(path, json={"title": "x"}),
        await client.delete(path),
    ):
        assert answer.status_code == 409
    cancelled = await client.post(f"{path}/cancel", headers={"If-Match": '"2"'})
    assert (cancelled.json()["docstatus"], cancelled.headers["etag"]) == ("cancelled", '"3"')
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_types_that_cannot_be_submitted_have_no_such_routes(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post(f"{SHELVES}/x/submit")).status_code in (404, 405)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"title"}),
        ({"title": "x" * 51, "pages": "many", "mood": "so so"}, {"title", "pages", "mood"}),
        ({"title": "x", "colour": "red", "weight": 1}, {"colour", "weight"}),
        ({"title": "x", "price": -1}, {"price"}),
        ({"title": "x", "price": "1.005"}, {"price"}),
        ({"title": "x", "notes": [{"text": 1}]}, {"notes.0.text"}),
        ({"title": "forbidden"}, {"title"}),
        ({"title": "x", "pages": 10_001}, {"*"}),
        ({"title": "x", "pages": -(2**80)}, {"pages"}),
        ({"title": "x", "shelf": "none"}, {"shelf"}),
        ({"title": "x", "key": "**********"}, {"key"}),
        ({"title": "x", "name": "mine"}, {"name"}),
        ({"title": "x", "owner": "bob", "version": 3}, {"owner", "version"}),
        ({"title": "x", "docstatus": "submitted"}, {"docstatus"}),
        ({"title": "a\x00b"}, {"title"}),
        ([], {"body"}),
        (None, {"body"}),
    ],
)
async def test_each_field_that_does_not_fit_is_named(
    app: FrameworkM, client: httpx.AsyncClient, body: Any, wrong: set[str]
) -> None:
    answer = await client.post(PAPERS, content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert set(fields(answer)) == wrong
    assert await app.repository(Paper).count() == 0
    if isinstance(body, dict) and body:
        paper = await made(client)
        patched = await client.patch(f"{PAPERS}/{paper['name']}", json=body)
        assert patched.status_code == (412 if "version" in body else 422)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{nope", 400),
        (b'{"title": "\\ud800"}', 400),
        (b'{"title": NaN}', 400),
        (b'{"title": "\xff"}', 400),
        (b'{"extra": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}", 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"title": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=["empty", "malformed", "surrogate", "nan", "utf-8", "deep", "deeper", "too large"],
)
async def test_a_body_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, content: bytes, status: int
) -> None:
    paper = await made(client)
    for method, path in (("POST", PAPERS), ("PUT", f"{PAPERS}/{paper['name']}")):
        answer = await client.request(method, path, content=content, headers=JSON)
        assert answer.status_code == status, answer.text
        fields(answer)


async def test_a_body_says_that_it_is_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(PAPERS, content=b"title=x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_names_and_unique_values_collide(client: httpx.AsyncClient) -> None:
    for path, body, taken in (
        (SHELVES, {"name": "top"}, "name"),
        (PAPERS, {"title": "x", "number": "7"}, "number"),
    ):
        assert (await client.post(path, json=body)).status_code == 201
        answer = await client.post(path, json=body)
        assert answer.status_code == 409
        assert set(fields(answer)) == {taken}


async def test_what_is_linked_to_stays(client: httpx.AsyncClient) -> None:
    await client.post(SHELVES, json={"name": "top"})
    await made(client, shelf="top")
    answer = await client.delete(f"{SHELVES}/top")
    assert answer.status_code == 409
    assert "aper" not in answer.json()["detail"]


async def test_lists_are_filtered_ordered_and_continued(client: httpx.AsyncClient) -> None:
    for number in range(7):
        await made(client, title=f"paper {number}", pages=number, price=str(number % 3))
    query = {"filters": '{"pages": {"ge": 1}, "price": {"in": ["0", "1"]}}', "limit": "2"}
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {**query, "order_by": "-price,pages", **({"cursor": cursor} if cursor else {})}
        answer = await client.get(PAPERS, params=params)
        assert answer.status_code == 200, answer.text
        seen += [item["pages"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    assert seen == [1, 4, 3, 6]
    some = await client.get(PAPERS, params={"fields": "title, pages", "search": "PAPER 6"})
    assert some.json()["items"] == [{"title": "paper 6", "pages": 6}]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"colour": "red"}, "colour"),
        ({"filters": '{"colour": 1}'}, "colour"),
        ({"filters": '{"pages": {"near": 1}}'}, "pages"),
        ({"filters": '{"pages": "many"}'}, "pages"),
        ({"filters": '{"key": "hunter2"}'}, "key"),
        ({"filters": "{nope"}, "filters"),
        ({"filters": "[" * 5000}, "filters"),
        ({"filters": "7"}, "filter"),
        ({"filters": '{"or": ' * 70 + "1" + "}" * 70}, "filters"),
        ({"order_by": "colour"}, "colour"),
        ({"order_by": "extra"}, "extra"),
        ({"order_by": ""}, ""),
        ({"fields": "title,colour"}, "colour"),
        ({"fields": "key"}, "key"),
        ({"fields": ""}, "fields"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "ä\x00"}, "cursor"),
        ({"search": "a\x00b"}, "search"),
    ],
)
async def test_a_query_that_means_nothing_is_refused_by_name(
    client: httpx.AsyncClient, query: dict[str, str], wrong: str
) -> None:
    answer = await client.get(PAPERS, params=query)
    assert answer.status_code == 400, answer.text
    assert set(fields(answer)) == {wrong}


async def test_a_cursor_continues_its_own_list_only(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await made(client, pages=number)
    page = (await client.get(PAPERS, params={"limit": "1", "order_by": "pages"})).json()
    other = await client.get(PAPERS, params={"cursor": page["next_cursor"], "order_by": "-pages"})
    assert other.status_code == 400
    assert set(fields(other)) == {"cursor"}


async def test_only_what_is_served_has_routes(app: FrameworkM, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/resource/Inside")).status_code == 404
    assert (await client.get("/api/v1/resource/Nothing")).status_code == 404
    assert (await client.get("/api/v1/meta/Inside")).status_code == 404
    assert (await client.get("/api/v1/meta/Nothing")).status_code == 404


async def test_meta_says_what_a_doctype_is_and_what_one_may_do(
    app: FrameworkM, client: httpx.AsyncClient
) -> None:
    meta = (await client.get("/api/v1/meta/Paper")).json()
    assert meta["list_columns"] == ["title", "price"]
    assert set(meta["permissions"].values()) == {"all"}
    assert "key" not in meta["json_schema"]["properties"]
    assert meta["create_schema"]["properties"]["key"]["anyOf"][0]["writeOnly"] is True
    assert meta["create_schema"]["required"] == ["title"]
    assert "version" not in meta["create_schema"]["properties"]
    async with calling(app, User("ada", frozenset({"Author"}))) as author:
        allowed = (await author.get("/api/v1/meta/Paper")).json()["permissions"]
    assert allowed == {
        "read": "own",
        "create": "all",
        "write": "own",
        "delete": "own",
        "submit": "own",
        "cancel": "own",
    }


async def test_the_openapi_document_has_each_doctypes_own_schemas(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert schemas["Paper"]["properties"]["price"]["type"] == "string"
    assert "key" not in schemas["Paper"]["properties"]
    assert "key" in schemas["PaperCreate"]["properties"]
    assert "name" not in schemas["PaperCreate"]["properties"]
    assert "name" in schemas["ShelfCreate"]["properties"]
    assert "required" not in schemas["PaperPatch"]
    assert "JobLog" in schemas
    operation = document["paths"][PAPERS]["post"]
    assert operation["security"] == [{"bearer": []}, {"session": []}]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/PaperCreate"}
    assert "/api/v1/resource/Shelf/{name}/submit" not in document["paths"]
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas


async def test_a_stranger_is_not_told_what_exists(app: FrameworkM) -> None:
    with acting_as("bob"):
        theirs = await app.repository(Paper).save(Paper(title="theirs"))
        await app.repository(Shelf).save(Shelf(name="bobs"))
        await app.repository(Hidden).save(Hidden(name="here"))
    stranger = User("ada", frozenset({"Author"}))
    body = {"title": "x"}
    async with calling(app, stranger) as client:

        async def answers(name: str) -> list[tuple[int, str, Any]]:
            path = f"{PAPERS}/{name}"
            asked = [
                await client.get(path),
                await client.get(path, headers={"If-None-Match": "*"}),
                await client.put(path, json=body, headers={"If-Match": '"9"'}),
                await client.put(path, json={"nonsense": 1}),
                await client.patch(path, json=body),
                await client.delete(path),
                await client.post(f"{path}/submit"),
                await client.post(f"{path}/cancel"),
            ]
            return [(a.status_code, a.text.replace(name, "…"), sorted(a.headers)) for a in asked]

        assert await answers(theirs.name) == await answers("unknown")
        assert (await client.get(PAPERS)).json()["items"] == []
        linked = [
            await client.post(PAPERS, json={"title": "x", "shelf": shelf})
            for shelf in ("bobs", "none")
        ]
        refusals = [
            (a.status_code, a.text.replace("bobs", "…").replace("none", "…")) for a in linked
        ]
        assert refusals[0] == refusals[1]
        for path in ("/api/v1/resource/Hidden/here", "/api/v1/resource/Hidden/gone"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/api/v1/resource/Hidden")).status_code == 403


async def test_who_may_create_and_not_read_is_told_the_name_only(app: FrameworkM) -> None:
    async with calling(app, User("drop", frozenset({"Dropbox"}))) as client:
        answer = await client.post(PAPERS, json={"title": "dropped"})
        assert (answer.status_code, answer.content) == (201, b"")
        assert (await client.get(answer.headers["location"])).status_code == 404
    name = answer.headers["location"].rpartition("/")[2]
    assert (await app.repository(Paper).get(name)).owner == "drop"
