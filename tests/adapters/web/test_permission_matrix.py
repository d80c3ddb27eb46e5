"""Every role, action and document through REST is what the DocType declares, and nothing else."""

from collections.abc import AsyncIterator

import httpx
import pytest

from framework_m import DocType, FrameworkM, Queue, User, acting_as
from framework_m.core.access.permissions import FULL_ACCESS
from tests.support.callers import calling
from tests.support.papers import Hidden, Paper, Shelf

ROLES = [
    "Reader",
    "Author",
    "Editor",
    "Proofreader",
    "Dropbox",
    "Blind",
    "Librarian",
    FULL_ACCESS,
    "",
]
ACTIONS = ["read", "write", "delete", "submit", "cancel"]
DOCTYPES: list[type[DocType]] = [Paper, Shelf, Hidden, Queue]
NAMED_BY_CALLERS = (Shelf, Queue)


def declared(doctype: type[DocType], role: str, action: str, *, own: bool) -> bool:
    """The permissions as they are written, read as a person would."""
    if role == FULL_ACCESS:
        return True
    granted = getattr(doctype.Meta, "permissions", {}).get(role, [])  # type: ignore[attr-defined]
    named = {action, "submit"} if action == "cancel" else {action}
    return bool(named & set(granted)) or (own and bool({f"{n}:own" for n in named} & set(granted)))


def expected(doctype: type[DocType], role: str, action: str, *, own: bool) -> int:
    if not declared(doctype, role, "read", own=own):
        return 404
    if not declared(doctype, role, action, own=own):
        return 403
    return 204 if action == "delete" else 200


@pytest.fixture(params=ROLES)
async def caller(
    request: pytest.FixtureRequest, papers: FrameworkM
) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    role = request.param
    async with calling(papers, User("ada", frozenset({role} - {""}))) as client:
        yield role, client


async def document(app: FrameworkM, doctype: type[DocType], owner: str, action: str) -> str:
    values = {"title": "x"} if doctype is Paper else {}
    name = f"{owner}-{action}" if doctype in NAMED_BY_CALLERS else ""
    with acting_as(owner):
        made = await app.repository(doctype).save(doctype.model_validate({**values, "name": name}))
        if action == "cancel":
            await app.repository(doctype).submit(made)
    return f"/api/v1/resource/{doctype.__name__}/{made.name}"


async def attempt(client: httpx.AsyncClient, path: str, action: str) -> int:
    match action:
        case "read":
            answer = await client.get(path)
        case "write":
            answer = await client.patch(path, json={})
        case "delete":
            answer = await client.delete(path)
        case _:
            answer = await client.post(f"{path}/{action}")
    return answer.status_code


async def test_documents(papers: FrameworkM, caller: tuple[str, httpx.AsyncClient]) -> None:
    role, client = caller
    found, wanted = {}, {}
    for doctype in DOCTYPES:
        for action in ACTIONS:
            if action in ("submit", "cancel") and doctype is not Paper:
                continue
            for owner in ("ada", "bob"):
                case = (doctype.__name__, action, owner)
                path = await document(papers, doctype, owner, action)
                found[case] = await attempt(client, path, action)
                wanted[case] = expected(doctype, role, action, own=owner == "ada")
    assert found == wanted


async def test_lists_and_creation(
    papers: FrameworkM, caller: tuple[str, httpx.AsyncClient]
) -> None:
    role, client = caller
    for doctype in DOCTYPES:
        for owner in ("ada", "bob"):
            await document(papers, doctype, owner, "read")
        path = f"/api/v1/resource/{doctype.__name__}"
        listed = await client.get(path)
        owners = [
            owner for owner in ("ada", "bob") if declared(doctype, role, "read", own=owner == "ada")
        ]
        if owners:
            assert [item["owner"] for item in listed.json()["items"]] == owners
        else:
            assert listed.status_code == 403
        body = {"title": "x"} if doctype is Paper else {}
        if doctype in NAMED_BY_CALLERS:
            body = {"name": "new"}
        created = await client.post(path, json=body)
        allowed = declared(doctype, role, "create", own=True)
        assert created.status_code == (201 if allowed else 403), (doctype, role)


async def test_links_are_to_what_may_be_read(
    papers: FrameworkM, caller: tuple[str, httpx.AsyncClient]
) -> None:
    role, client = caller
    if not declared(Paper, role, "create", own=True):
        return
    for owner in ("ada", "bob"):
        shelf = (await document(papers, Shelf, owner, "read")).rpartition("/")[2]
        created = await client.post("/api/v1/resource/Paper", json={"title": "x", "shelf": shelf})
        allowed = declared(Shelf, role, "read", own=owner == "ada")
        assert created.status_code == (201 if allowed else 422)


async def test_queues_and_workers_are_for_those_who_may_do_everything(
    papers: FrameworkM, caller: tuple[str, httpx.AsyncClient]
) -> None:
    role, client = caller
    found = {
        await client.get("/api/v1/queues"),
        await client.get("/api/v1/queues/default"),
        await client.post("/api/v1/queues/default/pause"),
        await client.post("/api/v1/queues/default/resume"),
        await client.get("/api/v1/workers"),
    }
    of_nobody = {
        await client.get("/api/v1/workers/one"),
        await client.post("/api/v1/workers/one/drain"),
    }
    allowed = role == FULL_ACCESS
    assert {answer.status_code for answer in found} == {200 if allowed else 403}
    assert {answer.status_code for answer in of_nobody} == {404 if allowed else 403}
    assert await papers.repository(Queue).count() == int(allowed)


@pytest.mark.parametrize("role", [*ROLES, "Clerk"])
async def test_what_is_done_to_jobs(sqlite_papers: FrameworkM, role: str) -> None:
    """Your own may be cancelled and deleted; asked for again only where you may ask at all."""
    found, wanted = {}, {}
    async with calling(sqlite_papers, User("ada", frozenset({role} - {""}))) as client:
        for name, arguments in (("add", {"a": 1}), ("plain", {"text": "x"})):
            for owner in ("ada", "bob"):
                with acting_as(owner):
                    job = sqlite_papers.jobs.function(name).options(delay=3600)
                    path = f"/api/v1/jobs/{await job.enqueue(**arguments)}"
                asked = ("/retry", "/cancel", "/cancel", "/retry")
                answers = [await client.post(f"{path}{action}") for action in asked]
                answers.append(await client.delete(path))
                found[name, owner] = [answer.status_code for answer in answers]
                may_ask = role == FULL_ACCESS or (role, name) == ("Clerk", "add")
                early, again = (409, 202) if may_ask else (422, 422)
                hidden = owner == "bob" and role != FULL_ACCESS
                wanted[name, owner] = [404] * 5 if hidden else [early, 202, 409, again, 204]
    assert found == wanted
