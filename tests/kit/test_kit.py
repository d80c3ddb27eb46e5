"""The testing kit, as a user's tests use it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from litestar.testing import AsyncTestClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from framework_m import FrameworkM, JobStatus, User
from framework_m.core.errors import ArgumentError, ConfigurationError, UnknownJobError
from framework_m.testing import JobsFailedError, Kit
from tests.support.callers import calling
from tests.support.kit_jobs import (
    Bill,
    app,
    bill_everyone,
    book,
    call_customer,
    drain_again,
    kits,
    ran,
    remind,
    send_bill,
)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    ran.clear()
    async with Kit(app) as kit:
        yield kit


async def test_nothing_runs_before_it_is_drained(kit: Kit) -> None:
    await send_bill.enqueue(7, Decimal("9.50"))
    assert ran == []
    done = await kit.drain()
    assert ran == ["send 7", "book 7"]
    assert [(job.job_name, job.status, job.result) for job in done] == [
        ("send_bill", JobStatus.SUCCESS, 7),
        ("book", JobStatus.SUCCESS, "7 is booked"),
    ]
    assert await kit.drain() == []


async def test_each_kit_begins_with_nothing(kit: Kit) -> None:
    assert await kit.enqueued() == []
    assert await app.repository(Bill).count() == 0


async def test_what_fails_is_raised_with_its_traceback(kit: Kit) -> None:
    await send_bill.enqueue(-1)
    with pytest.raises(JobsFailedError) as caught:
        await kit.drain()
    told = str(caught.value)
    assert "send_bill(number=-1) is Retrying after attempt 1 of 3: ValueError: no such" in told
    assert 'raise ValueError("no such bill")' in told
    assert isinstance(caught.value, AssertionError)


async def test_retries_wait_for_the_clock(kit: Kit) -> None:
    handle = await send_bill.enqueue(-1)
    [tried] = await kit.drain(check=False)
    assert tried.status is JobStatus.RETRYING
    assert await kit.drain() == []
    for attempt in (2, 3):
        kit.clock.advance(minutes=2)
        [tried] = await kit.drain(check=False)
        assert tried.attempt == attempt
    assert await handle.status() is JobStatus.FAILED


async def test_delays_and_periods_go_by_the_clock(kit: Kit) -> None:
    await send_bill.options(delay=3600).enqueue(1)
    await send_bill.options(at=kit.clock.now() + timedelta(hours=3)).enqueue(2)
    first = await remind.enqueue("Ada")
    await kit.drain()
    assert (await remind.enqueue("Ada")).existed
    kit.clock.advance(hours=1, seconds=1)
    again = await remind.enqueue("Ada")
    assert not again.existed
    assert again != first
    await kit.drain()
    assert sorted(ran) == ["book 1", "remind Ada", "remind Ada", "send 1"]
    kit.clock.advance(timedelta(hours=2))
    assert len(await kit.drain()) == 2


async def test_the_clock_moves_documents_and_events(kit: Kit) -> None:
    kit.clock.move_to(datetime(2031, 5, 1, tzinfo=UTC))
    bill = await app.repository(Bill).save(Bill(customer="Ada", total=Decimal(1)))
    assert bill.creation is not None
    assert bill.creation.year == 2031
    [reminder] = await kit.drain()
    assert reminder.enqueued_at.year == 2031
    assert ran == ["created at 2031", "remind Ada"]
    kit.clock.move_to(datetime(1999, 5, 1, tzinfo=UTC))
    assert (await (await book.enqueue(1)).record()).enqueued_at.year == 1999
    with pytest.raises(ValueError, match="aware"):
        kit.clock.move_to(datetime(2031, 5, 1))  # noqa: DTZ001 - that is what is wrong
    with pytest.raises(ValueError, match="does not go back"):
        kit.clock.advance(seconds=-1)


async def test_after_the_kit_it_is_today_again() -> None:
    before = app.settings
    async with Kit(app, concurrency=3) as kit:
        assert app.settings.concurrency == 3
        kit.clock.advance(days=4000)
    assert app.settings == before
    async with Kit(app):
        assert (await (await book.enqueue(1)).record()).enqueued_at <= datetime.now(UTC)


async def test_what_was_enqueued_is_asserted(kit: Kit) -> None:
    as_ada = User("ada")
    await send_bill.options(tags=["now", "ada"], delay=60).enqueue(7, Decimal("9.50"))
    await kit.assert_enqueued(send_bill)
    [found] = await kit.assert_enqueued("send_bill", {"total": Decimal("9.5")}, times=1)
    assert found.args == {"number": 7, "total": "9.50"}
    await kit.assert_enqueued(send_bill, {"number": 7}, queue="mail", tags=["ada"], delay=60)
    await kit.assert_enqueued(book, times=0)
    await kit.drain()
    for wrong in (
        {"args": {"number": 8}},
        {"queue": "other"},
        {"priority": 1},
        {"tags": ["later"]},
        {"delay": 0},
        {"user_id": as_ada.id},
        {"times": 2},
    ):
        with pytest.raises(AssertionError) as caught:
            await kit.assert_enqueued(send_bill, **wrong)
        assert "send_bill(number=7, total='9.50'), queue mail, Scheduled, due" in str(caught.value)
    with pytest.raises(UnknownJobError, match="send_bill"):
        await kit.assert_enqueued("send_bil")
    with pytest.raises(ArgumentError, match="numer"):
        await kit.assert_enqueued(send_bill, {"numer": 7})


async def test_inline_jobs_run_when_their_transaction_has_committed(kit: Kit) -> None:
    with kit.inline():
        async with app.transaction():
            handle = await bill_everyone.enqueue([1, 2])
            assert ran == []
        assert sorted(ran) == ["book 1", "book 2", "send 1", "send 2"]
        assert await handle.status() is JobStatus.SUCCESS
        with pytest.raises(ZeroDivisionError):
            async with app.transaction():
                await book.enqueue(3)
                raise ZeroDivisionError
        async with app.transaction() as tx:
            await tx.repository(Bill).save(Bill(customer="Ada", total=Decimal(1)))
            assert "remind Ada" not in ran
        assert ran[-1] == "remind Ada"
    await book.enqueue(4)
    assert "book 4" not in ran
    assert "book 3" not in ran


async def test_an_inline_failure_goes_to_who_enqueued(kit: Kit) -> None:
    with kit.inline(), pytest.raises(JobsFailedError, match="no such bill"):
        await send_bill.enqueue(-1)
    await kit.assert_enqueued(send_bill, {"number": -1}, times=1)


async def test_inline_over_http_and_in_a_session(kit: Kit) -> None:
    with kit.inline():
        async with calling(app) as client:
            body = {"job_name": "book", "args": {"number": 5}}
            answer: httpx.Response = await client.post("/api/v1/jobs", json=body)
            assert answer.status_code == 202
            job_id = answer.json()["job_id"]
            assert (await client.get(f"/api/v1/jobs/{job_id}")).json()["status"] == "Success"
        async with AsyncSession(kit.engine) as session:
            async with app.transaction(session=session):
                handle = await book.enqueue(6)
            assert "book 6" not in ran
            await session.commit()
    assert ran == ["book 5", "book 6"]
    assert await handle.result() == "6 is booked"


async def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("FRAMEWORK_M_BACKEND", "nats")
    monkeypatch.setenv("FRAMEWORK_M_DATABASE_SCHEMA", "x")
    fresh = type(app)(modules=app.modules)
    async with Kit(fresh):
        assert await fresh.jobs.list() == []


async def test_an_open_application_is_not_isolated(kit: Kit) -> None:
    with pytest.raises(ConfigurationError, match="open already"):
        async with Kit(app):
            raise AssertionError("never reached")
    await book.enqueue(1)
    assert len(await kit.drain()) == 1


async def test_a_worker_may_run_in_a_kit(kit: Kit) -> None:
    async with app.worker():
        assert await (await book.enqueue(1)).result(timeout=20) == "1 is booked"


async def test_settings_count_that_job_functions_are_made_of() -> None:
    async with Kit(app, job_retries=0, body_limit=77):
        assert app.registry.get("book").max_attempts == 1
        assert app.asgi.routes
    async with Kit(app):
        assert app.registry.get("book").max_attempts == app.settings.job_retries + 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"job_retires": 0}, "'job_retires'; did you mean job_retries"),
        ({"database_url": "postgresql://there/shop"}, "database_url is not yours"),
    ],
)
def test_settings_that_would_not_count_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Kit(app, **wrong)


async def test_all_queues_are_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWORK_M_QUEUES", "default")
    fresh = FrameworkM(modules=app.modules)
    async with Kit(fresh) as kit:
        await send_bill.enqueue(1)
        assert len(await kit.drain()) == 2


async def test_a_job_that_drains_is_told_so(kit: Kit) -> None:
    kits.append(kit)
    await drain_again.enqueue()
    with pytest.raises(JobsFailedError, match="a job cannot call it"):
        await kit.drain()


async def test_what_a_limit_holds_back_has_not_run(kit: Kit) -> None:
    for name in ("Ada", "Bo"):
        await call_customer.enqueue(name)
    assert [job.args for job in await kit.drain()] == [{"customer": "Ada"}]
    kit.clock.advance(minutes=1)
    assert [job.args for job in await kit.drain()] == [{"customer": "Bo"}]


async def test_a_session_goes_on_after_an_inline_failure(kit: Kit) -> None:
    async with AsyncSession(kit.engine) as session:
        async with app.transaction(session=session):
            await send_bill.enqueue(-1)
        with kit.inline(), pytest.raises(JobsFailedError):
            await session.commit()
        assert (await session.execute(text("SELECT 1"))).scalar() == 1
        await session.commit()


async def test_applications_have_one_clock(kit: Kit) -> None:
    async with Kit(FrameworkM()) as other:
        kit.clock.advance(hours=5)
        assert other.clock.now() - kit.clock.now() < timedelta(minutes=1)
        bill = await app.repository(Bill).save(Bill(customer="Ada", total=Decimal(1)))
        assert bill.creation is not None
        assert kit.clock.now() - bill.creation < timedelta(minutes=1)


async def test_a_client_with_a_loop_of_its_own_is_refused(kit: Kit) -> None:
    refused = pytest.RaisesExc(ConfigurationError, match="ASGITransport")
    with pytest.RaisesGroup(refused):
        async with AsyncTestClient(app.asgi):
            raise AssertionError("never reached")
    assert len(await kit.drain()) == 0
