"""Documents and jobs in one transaction: savepoints, failures, the application's own sessions."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from framework_m import DuplicateError, FrameworkM, InvalidDocumentError, LinkError
from framework_m.core.errors import ConfigurationError, TransactionFailedError
from framework_m.core.interfaces.unit_of_work import current_unit_of_work
from tests.support.documents import Customer, Invoice, Refused, Watched, WatchedController
from tests.support.jobs import add


async def names(app: FrameworkM) -> list[str]:
    return [found.name for found in await app.repository(Customer).list()]


async def jobs(app: FrameworkM) -> int:
    return len(await app.jobs.list())


async def test_documents_and_jobs_commit_together(app: FrameworkM) -> None:
    async with app.transaction() as tx:
        await tx.repository(Customer).save(Customer(name="a"))
        handle = await tx.enqueue(add, 1, b=2)
        await tx.enqueue("add", a=1)
        await add.enqueue(1)
        assert await names(app) == ["a"]  # a repository of the context sees its transaction
    assert await names(app) == ["a"]
    assert await jobs(app) == 3
    assert (await handle.record()).job_name == "add"


async def test_documents_and_jobs_vanish_together(app: FrameworkM) -> None:
    customer = Customer(name="a")
    with pytest.raises(KeyError):
        async with app.transaction() as tx:
            await tx.repository(Customer).save(customer)
            await tx.enqueue(add, 1)
            raise KeyError
    assert await names(app) == []
    assert await jobs(app) == 0
    assert customer.version == 0


async def test_a_nested_part_fails_alone(app: FrameworkM) -> None:
    told: list[str] = []

    async def tell(what: str) -> None:
        told.append(what)

    async with app.transaction() as tx:
        await tx.repository(Customer).save(Customer(name="a"))
        tx.after_commit(lambda: tell("outer"))
        with pytest.raises(KeyError):
            async with tx.nested() as inner:
                await inner.repository(Customer).save(Customer(name="b"))
                await inner.enqueue(add, 1)
                inner.after_commit(lambda: tell("undone"))
                raise KeyError
        async with tx.nested() as inner:
            await inner.repository(Customer).save(Customer(name="c"))
            await inner.enqueue(add, 1)
            inner.after_commit(lambda: tell("inner"))
    assert await names(app) == ["a", "c"]
    assert await jobs(app) == 1
    assert told == ["outer", "inner"]


async def test_a_transaction_in_a_transaction_is_a_part_of_it(app: FrameworkM) -> None:
    with pytest.raises(KeyError):
        async with app.transaction() as tx:
            async with app.transaction() as inner:
                await inner.repository(Customer).save(Customer(name="a"))
                # Whoever uses the outer one inside the block means the block.
                await tx.repository(Customer).save(Customer(name="b"))
            assert await names(app) == ["a", "b"]
            raise KeyError
    assert await names(app) == []


async def test_a_caught_error_needs_a_nested_part(app: FrameworkM) -> None:
    await app.repository(Customer).save(Customer(name="a"))
    async with app.transaction() as tx:
        with pytest.raises(DuplicateError):
            async with tx.nested():
                await tx.repository(Customer).save(Customer(name="a"))
        await tx.repository(Customer).save(Customer(name="b"))
    assert await names(app) == ["a", "b"]


@pytest.mark.parametrize("error", [DuplicateError, LinkError])
async def test_a_swallowed_error_cannot_commit(
    app: FrameworkM, error: type[DuplicateError | LinkError]
) -> None:
    """PostgreSQL would answer COMMIT with a ROLLBACK that nobody sees."""
    await app.repository(Customer).save(Customer(name="a"))
    with pytest.raises(TransactionFailedError, match=r"tx\.nested"):
        async with app.transaction() as tx:
            await tx.repository(Customer).save(Customer(name="b"))
            with pytest.raises(error):
                if error is DuplicateError:
                    await tx.repository(Customer).save(Customer(name="a"))
                else:
                    await tx.repository(Invoice).save(Invoice(customer="x"))
            with pytest.raises(TransactionFailedError):
                await tx.repository(Customer).get("a")
    assert await names(app) == ["a"]


async def test_a_document_that_does_not_fit_spoils_no_transaction(app: FrameworkM) -> None:
    async with app.transaction() as tx:
        with pytest.raises(InvalidDocumentError):
            await tx.repository(Customer).save(Customer(name=" "))
        await tx.repository(Customer).save(Customer(name="a"))
    assert await names(app) == ["a"]


async def test_concurrent_parts_take_turns(app: FrameworkM) -> None:
    inside = 0

    async def part(number: int) -> None:
        nonlocal inside
        async with app.transaction() as tx:
            inside += 1
            assert inside == 1
            await tx.repository(Customer).save(Customer(name=f"c{number}"))
            await asyncio.sleep(0)
            inside -= 1
            if number % 2:
                raise KeyError

    async with app.transaction():
        await asyncio.gather(*(part(n) for n in range(6)), return_exceptions=True)
    assert await names(app) == ["c0", "c2", "c4"]


async def test_others_do_not_slip_into_a_part_that_is_undone(app: FrameworkM) -> None:
    entered, saved = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await entered.wait()
        await app.repository(Customer).save(Customer(name="other"))
        saved.set()

    async with app.transaction() as tx:
        beside = asyncio.create_task(other())
        with pytest.raises(KeyError):
            async with tx.nested():
                entered.set()
                await asyncio.sleep(0.01)
                assert not saved.is_set()
                raise KeyError
        await beside
    assert await names(app) == ["other"]


async def test_the_repository_of_an_ended_transaction_is_of_no_use(app: FrameworkM) -> None:
    async with app.transaction() as tx:
        repo = tx.repository(Customer)
    with pytest.raises(ConfigurationError, match="has ended"):
        await repo.list()
    assert current_unit_of_work() is None


class TestHooks:
    @pytest.fixture(autouse=True)
    def seen(self) -> list[str]:
        WatchedController.seen.clear()
        return WatchedController.seen

    async def test_hooks_run_around_each_change(self, app: FrameworkM, seen: list[str]) -> None:
        repo = app.repository(Watched)
        document = await repo.save(Watched())
        document.text = " text "
        await repo.save(document)
        assert (await repo.get(document.name)).text == "text"
        await repo.submit(document)
        await repo.cancel(document)
        await repo.delete(document.name)
        assert seen == [
            *("validate", "before_insert", "after_insert"),
            *("validate", "before_update", "after_update text"),
            *("validate", "before_submit", "after_submit"),
            *("validate", "before_cancel", "after_cancel"),
            *("before_delete", "after_delete"),
        ]
        assert await jobs(app) == 1

    @pytest.mark.parametrize("hook", ["validate", "before_insert", "after_insert"])
    async def test_a_raising_hook_undoes_the_insert(self, app: FrameworkM, hook: str) -> None:
        document = Watched(refuse=hook)
        with pytest.raises(Refused):
            await app.repository(Watched).save(document)
        assert await app.repository(Watched).count() == 0
        assert await jobs(app) == 0
        assert (document.name, document.version) == ("", 0)

    @pytest.mark.parametrize("change", ["update", "submit", "cancel", "delete"])
    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_raising_hook_undoes_the_change(
        self, app: FrameworkM, change: str, when: str
    ) -> None:
        repo = app.repository(Watched)
        document = await repo.save(Watched(refuse=f"{when}_{change}"))
        if change == "cancel":
            await repo.submit(document)
        before = document.model_copy(deep=True)
        act = repo.save if change == "update" else getattr(repo, change)
        with pytest.raises(Refused):
            await act(document)
        assert document == before
        assert await repo.get(document.name) == before

    async def test_a_raising_hook_undoes_the_whole_transaction(self, app: FrameworkM) -> None:
        with pytest.raises(TransactionFailedError):
            async with app.transaction() as tx:
                await tx.repository(Customer).save(Customer(name="a"))
                with pytest.raises(Refused):
                    await tx.repository(Watched).save(Watched(refuse="validate"))
        assert await names(app) == []


class TestSession:
    """Existing SQLAlchemy code enqueues and saves in its own transaction."""

    @pytest.fixture
    async def engine(self, app: FrameworkM) -> AsyncIterator[AsyncEngine]:
        database = app.ports.database
        schema = {"server_settings": {"search_path": database.schema}} if database.schema else {}
        engine = create_async_engine(database.url, connect_args=schema)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
        yield engine
        await engine.dispose()

    async def _orders(self, engine: AsyncEngine) -> int:
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT count(*) FROM orders"))
            return int(found.scalar_one())

    async def test_its_commit_commits_all(self, app: FrameworkM, engine: AsyncEngine) -> None:
        told: list[str] = []

        async def tell() -> None:
            told.append("committed")

        async with AsyncSession(engine) as session:
            await session.execute(text("INSERT INTO orders VALUES (1)"))
            async with app.transaction(session=session) as tx:
                await add.enqueue(1)
                await tx.repository(Customer).save(Customer(name="a"))
                tx.after_commit(tell)
            assert told == []
            await session.commit()
            assert told == ["committed"]
        assert (await self._orders(engine), await names(app), await jobs(app)) == (1, ["a"], 1)

    @pytest.mark.parametrize("how", ["rollback", "close"])
    async def test_its_rollback_undoes_all(
        self, app: FrameworkM, engine: AsyncEngine, how: str
    ) -> None:
        async def never() -> None:
            pytest.fail("it did not commit")

        customer = Customer(name="a")
        async with AsyncSession(engine) as session:
            await session.execute(text("INSERT INTO orders VALUES (1)"))
            async with app.transaction(session=session) as tx:
                await tx.enqueue(add, 1)
                await tx.repository(Customer).save(customer)
                tx.after_commit(never)
            await getattr(session, how)()
            assert customer.version == 0
            # The same session goes on with another transaction.
            async with app.transaction(session=session) as tx:
                await tx.repository(Customer).save(Customer(name="b"))
            await session.commit()
        assert (await self._orders(engine), await names(app), await jobs(app)) == (0, ["b"], 0)

    async def test_its_savepoints_count(self, app: FrameworkM, engine: AsyncEngine) -> None:
        told: list[str] = []

        async def tell(what: str) -> None:
            told.append(what)

        async with AsyncSession(engine) as session:
            await session.execute(text("INSERT INTO orders VALUES (1)"))
            for name in ("kept", "undone"):
                async with session.begin_nested() as savepoint:
                    async with app.transaction(session=session) as tx:
                        await tx.repository(Customer).save(Customer(name=name))
                        tx.after_commit(lambda name=name: tell(name))  # type: ignore[misc]
                    if name == "undone":
                        await savepoint.rollback()
            await session.commit()
        assert (told, await names(app)) == (["kept"], ["kept"])

    async def test_a_nested_part_in_it_fails_alone(
        self, app: FrameworkM, engine: AsyncEngine
    ) -> None:
        await app.repository(Customer).save(Customer(name="a"))
        async with AsyncSession(engine) as session:
            async with app.transaction(session=session) as tx:
                async with tx.nested():
                    await tx.enqueue(add, 1)
                with pytest.raises(DuplicateError):
                    async with tx.nested():
                        await tx.enqueue(add, 1)
                        await tx.repository(Customer).save(Customer(name="a"))
                await tx.repository(Customer).save(Customer(name="b"))
            assert await names(app) == ["a"]
            await session.commit()
        assert (await names(app), await jobs(app)) == (["a", "b"], 1)

    async def test_a_nested_part_is_not_the_whole_on_sqlite(
        self, app: FrameworkM, engine: AsyncEngine
    ) -> None:
        """The driver begins late: the first savepoint's release would be a commit."""
        async with AsyncSession(engine) as session:
            async with app.transaction(session=session) as tx, tx.nested():
                await tx.repository(Customer).save(Customer(name="a"))
            await session.rollback()
        assert await names(app) == []

    async def test_a_swallowed_error_cannot_commit_it(
        self, app: FrameworkM, engine: AsyncEngine
    ) -> None:
        async with AsyncSession(engine) as session:
            async with app.transaction(session=session) as tx:
                with pytest.raises(LinkError):
                    await tx.repository(Invoice).save(Invoice(customer="nobody"))
            with pytest.raises(TransactionFailedError):
                await session.commit()
        assert await app.repository(Invoice).count() == 0

    async def test_links_are_checked_on_any_connection(
        self, app: FrameworkM, engine: AsyncEngine
    ) -> None:
        """SQLite enforces foreign keys only on connections that have asked for it."""
        await app.repository(Customer).save(Customer(name="a"))
        await app.repository(Invoice).save(Invoice(customer="a"))
        async with AsyncSession(engine) as session:
            async with app.transaction(session=session) as tx:
                with pytest.raises(LinkError, match="still links to it"):
                    async with tx.nested():
                        await tx.repository(Customer).delete("a")
                with pytest.raises(LinkError, match="links to no customer"):
                    async with tx.nested():
                        await tx.repository(Invoice).save(Invoice(customer="nobody"))
            await session.commit()
        assert await names(app) == ["a"]

    async def test_only_an_async_session_can_be_joined(self, app: FrameworkM) -> None:
        with pytest.raises(ConfigurationError, match="not a str"):
            async with app.transaction(session="session"):  # type: ignore[arg-type]
                pass
