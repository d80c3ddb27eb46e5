"""Repositories that do what a user may: what may not be read does not exist."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from framework_m import FrameworkM, Repository, User, acting_as, where
from framework_m.core.errors import (
    DocumentError,
    FilterError,
    ForbiddenError,
    InvalidDocumentError,
    LinkError,
    NotFoundError,
)
from tests.support.papers import Hidden, Paper, Shelf

ADA = User("ada", frozenset({"Author", "Unheard of"}))
BOB = User("bob", frozenset({"Author"}))
EDITOR = User("eve", frozenset({"Editor"}))
READER = User("rob", frozenset({"Reader"}))
BLIND = User("blind", frozenset({"Blind"}))


def told(error: DocumentError, name: str) -> str:
    return str(error).replace(name, "…")


async def message(attempt: Callable[[str], Awaitable[object]], name: str) -> str:
    with pytest.raises(NotFoundError) as caught:
        await attempt(name)
    return told(caught.value, name)


async def test_a_users_documents_are_the_users(papers: FrameworkM) -> None:
    mine = await papers.repository(Paper, as_user=ADA).save(Paper(title="mine", owner="bob"))
    assert mine.owner == "ada"
    assert (await papers.repository(Paper).get(mine.name)).owner == "ada"


async def test_own_documents_only_are_filtered_by_the_database(papers: FrameworkM) -> None:
    for user in (ADA, BOB):
        some = [Paper(title=f"{user.id} {n}", pages=n) for n in range(3)]
        await papers.repository(Paper, as_user=user).insert_many(some)
    ada, editor = (papers.repository(Paper, as_user=user) for user in (ADA, EDITOR))

    page = await ada.list(order_by="-pages", limit=2)
    rest = await ada.list(order_by="-pages", limit=2, cursor=page.next_cursor)
    assert [paper.title for paper in (*page, *rest)] == ["ada 2", "ada 1", "ada 0"]
    assert await ada.count() == 3
    assert await ada.count(where("pages").ge(1) | where("owner").eq("bob")) == 2
    assert len(await ada.list(where("owner").eq("bob"))) == 0
    assert not await ada.exists(where("owner").eq("bob"))
    assert [paper.title async for paper in ada.iterate(batch=1)] != []
    assert len(await ada.list(search="bob")) == 0
    assert await editor.count() == 6


async def test_what_may_not_be_read_is_as_if_it_never_was(papers: FrameworkM) -> None:
    theirs = await papers.repository(Paper, as_user=BOB).save(Paper(title="theirs"))
    for user in (ADA, BLIND, User("nobody")):
        guarded = papers.repository(Paper, as_user=user)

        async def rename(name: str, repository: Repository[Paper] = guarded) -> None:
            await repository.save(Paper(title="x", name=name, version=1))

        async def submit(name: str, repository: Repository[Paper] = guarded) -> None:
            await repository.submit(Paper(title="x", name=name, version=1))

        async def cancel(name: str, repository: Repository[Paper] = guarded) -> None:
            await repository.cancel(Paper(title="x", name=name, version=1))

        for attempt in (guarded.get, guarded.delete, rename, submit, cancel):
            assert await message(attempt, theirs.name) == await message(attempt, "unknown")
        assert not await guarded.exists(theirs.name)
        assert await guarded.get_many([theirs.name, "unknown"]) == {}
        async with papers.transaction() as tx:
            locking = tx.repository(Paper, as_user=user)
            with pytest.raises(NotFoundError):
                await locking.get(theirs.name, for_update=True)
    assert (await papers.repository(Paper).get(theirs.name)).version == 1


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 300, ""])
async def test_what_could_be_no_name_is_not_there(papers: FrameworkM, name: str) -> None:
    for user in (ADA, EDITOR):
        guarded = papers.repository(Paper, as_user=user)
        with pytest.raises(NotFoundError):
            await guarded.get(name)
        assert not await guarded.exists(name)
        assert await guarded.get_many([name]) == {}


async def test_what_may_be_read_and_not_changed_is_forbidden(papers: FrameworkM) -> None:
    paper = await papers.repository(Paper, as_user=ADA).save(Paper(title="read me"))
    reader = papers.repository(Paper, as_user=READER)
    found = await reader.get(paper.name)
    attempts = (reader.save, reader.delete, reader.submit, reader.cancel)
    for attempt in attempts:
        with pytest.raises(ForbiddenError, match="your roles do not allow to"):
            await attempt(found)
    with pytest.raises(ForbiddenError):
        await reader.save(Paper(title="new"))
    with pytest.raises(ForbiddenError):
        await reader.insert_many([Paper(title="new")])
    assert await reader.count() == 1


async def test_lists_of_what_may_not_be_read_are_forbidden(papers: FrameworkM) -> None:
    blind = papers.repository(Paper, as_user=BLIND)
    for asked in (blind.list, blind.count):
        with pytest.raises(ForbiddenError, match="to read Paper"):
            await asked()
    with pytest.raises(ForbiddenError):
        await blind.exists(where("title").eq("x"))
    with pytest.raises(ForbiddenError):
        _ = [paper async for paper in blind.iterate()]
    with pytest.raises(ForbiddenError):
        await papers.repository(Hidden, as_user=EDITOR).list()


async def test_to_submit_is_no_way_to_write(papers: FrameworkM) -> None:
    submitter = User("sub", frozenset({"Proofreader"}))
    paper = await papers.repository(Paper, as_user=EDITOR).save(Paper(title="as it is"))
    submitted = await papers.repository(Paper, as_user=EDITOR).submit(paper)
    changed = await papers.repository(Paper, as_user=submitter).get(submitted.name)
    changed.title = "changed on the way"
    with pytest.raises(ForbiddenError, match="to write Paper"):
        await papers.repository(Paper, as_user=submitter).cancel(changed)
    unchanged = await papers.repository(Paper, as_user=submitter).get(submitted.name)
    await papers.repository(Paper, as_user=submitter).cancel(unchanged)


async def test_a_link_leads_to_what_may_be_read_or_nowhere(papers: FrameworkM) -> None:
    reader, other = (User(name, frozenset({"Author", "Reader"})) for name in ("ada", "bob"))
    await papers.repository(Shelf, as_user=reader).save(Shelf(name="adas"))
    mine = papers.repository(Paper, as_user=reader)
    theirs = papers.repository(Paper, as_user=other)
    linked = await mine.save(Paper(title="a", shelf="adas"))

    refusals = []
    for shelf in ("adas", "none"):
        with pytest.raises(LinkError) as caught:
            await theirs.save(Paper(title="b", shelf=shelf))
        refusals.append(told(caught.value, shelf))
    assert refusals[0] == refusals[1]
    assert await papers.repository(Paper).count() == 1

    own = await theirs.save(Paper(title="b"))
    own.shelf = "adas"
    with pytest.raises(LinkError):
        await theirs.save(own)

    editor = papers.repository(Paper, as_user=EDITOR)  # may read no shelf at all
    found = await editor.get(linked.name)
    found.title = "a link that was there may stay"
    await editor.save(found)


async def test_what_is_linked_to_is_kept_and_not_by_whom(papers: FrameworkM) -> None:
    shelf = await papers.repository(Shelf, as_user=User("ada", frozenset({"Reader"}))).save(
        Shelf(name="adas")
    )
    await papers.repository(Paper).save(Paper(title="secret", shelf=shelf.name))
    with pytest.raises(LinkError) as caught:
        await papers.repository(Shelf, as_user=User("ada", frozenset({"Reader"}))).delete("adas")
    assert "aper" not in str(caught.value)


async def test_without_a_user_the_program_is_trusted(papers: FrameworkM) -> None:
    with acting_as(User("nobody")):
        hidden = await papers.repository(Hidden).save(Hidden())
        assert (await papers.repository(Hidden).get(hidden.name)).owner == "nobody"


async def test_transactions_and_errors_are_those_of_any_repository(papers: FrameworkM) -> None:
    guarded = papers.repository(Paper, as_user=ADA)
    with pytest.raises(FilterError):
        await guarded.list(where("colour").eq("red"))
    with pytest.raises(InvalidDocumentError):
        await guarded.insert_many([Paper(title="x", version=3)])
    with pytest.raises(KeyError):
        async with papers.transaction() as tx:
            await tx.repository(Paper, as_user=ADA).save(Paper(title="x"))
            raise KeyError
    assert await guarded.count() == 0
    names = await asyncio.gather(*(guarded.save(Paper(title=str(n))) for n in range(5)))
    assert len({document.name for document in names}) == 5
