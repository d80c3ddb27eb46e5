"""API keys: shown once, kept as a hash, and gone at once when revoked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from framework_m import FrameworkM, User
from framework_m.adapters.db.access_schema import api_key
from framework_m.adapters.db.api_key_store import DatabaseApiKeyStore
from framework_m.core.access.api_keys import ApiKeys
from framework_m.core.errors import NotAuthenticatedError

ADA = User("ada", frozenset({"Clerk"}))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(papers: FrameworkM, clock: Clock) -> ApiKeys:
    return ApiKeys(DatabaseApiKeyStore(papers.ports.database), now=clock)


async def refused(keys: ApiKeys, text: str, *, is_session: bool = False) -> None:
    with pytest.raises(NotAuthenticatedError):
        await keys.read(text, is_session=is_session)


async def test_a_key_stands_for_its_user_with_its_roles(keys: ApiKeys) -> None:
    new = await keys.create(ADA, note="the nightly export")
    found = await keys.read(new.text)
    assert (found.user, found.expires_at) == (ADA, None)
    assert new.text not in repr(new)
    [listed] = await keys.list()
    assert (listed.note, listed.roles) == ("the nightly export", frozenset({"Clerk"}))


async def test_the_secret_is_stored_nowhere(keys: ApiKeys, papers: FrameworkM) -> None:
    new = await keys.create(ADA)
    secret = new.text.rpartition(new.record.name)[2].strip("_")
    rows = await papers.ports.database.fetch(select(api_key))
    assert len(rows) == 1
    assert secret not in repr(rows)


async def test_what_is_not_the_key_is_refused(keys: ApiKeys) -> None:
    new, other = await keys.create(ADA), await keys.create(User("bob"))
    swapped = new.text.replace(new.record.name, other.record.name)
    unknown = new.text.replace(new.record.name, "0" * 16)
    wrong = (swapped, unknown, new.text[:-1], new.text + "x", "fmk_", "", "fmk_ä_ö", "fmk_" * 99)
    for text in (*wrong, new.text.upper(), f"fmk_{new.record.name}_", "fmk_\x00"):
        await refused(keys, text)


async def test_it_expires(keys: ApiKeys, clock: Clock) -> None:
    new = await keys.create(ADA, expires_at=clock.now + timedelta(hours=1))
    clock.now += timedelta(minutes=59)
    await keys.read(new.text)
    clock.now += timedelta(minutes=1)
    await refused(keys, new.text)


async def test_it_is_revoked_at_once_and_for_good(keys: ApiKeys) -> None:
    new = await keys.create(ADA)
    assert await keys.revoke(new.record.name)
    await refused(keys, new.text)
    assert await keys.revoke(new.record.name)
    assert not await keys.revoke("0" * 16)
    [listed] = await keys.list()
    assert listed.revoked_at is not None


async def test_its_last_use_is_written_once_a_minute(keys: ApiKeys, clock: Clock) -> None:
    new = await keys.create(ADA)
    first = clock.now
    for seconds, noted in ((0, first), (30, first), (60, first + timedelta(seconds=60))):
        clock.now = first + timedelta(seconds=seconds)
        await keys.read(new.text)
        [listed] = await keys.list()
        assert listed.last_used_at == noted


async def test_a_session_is_no_bearer_token_and_a_key_is_no_cookie(keys: ApiKeys) -> None:
    new = await keys.create(ADA)
    session = await keys.open_session(await keys.read(new.text), timedelta(hours=1))
    assert (await keys.read(session.text, is_session=True)).user == ADA
    await refused(keys, session.text)
    await refused(keys, new.text, is_session=True)
    assert [key.name for key in await keys.list()] == [new.record.name]


async def test_a_session_ends_with_what_it_was_opened_with(keys: ApiKeys, clock: Clock) -> None:
    new = await keys.create(ADA, expires_at=clock.now + timedelta(minutes=10))
    session = await keys.open_session(await keys.read(new.text), timedelta(hours=1))
    assert session.record.expires_at == new.record.expires_at
    await keys.revoke(new.record.name)
    await refused(keys, session.text, is_session=True)


async def test_expired_sessions_are_forgotten(
    keys: ApiKeys, clock: Clock, papers: FrameworkM
) -> None:
    signed_in = await keys.read((await keys.create(ADA)).text)
    for _ in range(3):
        await keys.open_session(signed_in, timedelta(hours=1))
    clock.now += timedelta(hours=2)
    await keys.open_session(signed_in, timedelta(hours=1))
    assert len(await papers.ports.database.fetch(select(api_key))) == 2
