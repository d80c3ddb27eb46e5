"""Documents a second, beside the same work in plain SQLAlchemy ORM, alternating in one run."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Numeric, String, Text, event, select
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.jobs import postgresql, sqlite
from framework_m import DocType, Field, FrameworkM, Settings
from framework_m.core.ids import uuid7

ROUNDS = 15
SINGLE = 40
BATCH = 500
PAGE = 100


class Order(DocType):
    customer: str = Field(max_length=140)
    total: Decimal = Field(ge=0, max_digits=12, decimal_places=2)
    placed: date
    note: str = ""


class Base(DeclarativeBase):
    pass


class OrmOrder(Base):
    """The same columns, as one would write them by hand."""

    __tablename__ = "orm_order"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(255))
    creation: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    modified: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    modified_by: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[int] = mapped_column()
    docstatus: Mapped[str] = mapped_column(Text)
    customer: Mapped[str] = mapped_column(String(140))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    placed: Mapped[date]
    note: Mapped[str] = mapped_column(Text)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own way


def order(number: int) -> Order:
    day = date(2026, 11, 24)
    return Order(customer=f"c{number % 10}", total=Decimal(number), placed=day, note="a note")


def orm_order(number: int) -> OrmOrder:
    now = datetime.now(UTC)
    return OrmOrder(
        name=uuid7(),
        owner=None,
        creation=now,
        modified=now,
        modified_by=None,
        docstatus="draft",
        customer=f"c{number % 10}",
        total=Decimal(number),
        placed=date(2026, 11, 24),
        note="a note",
    )


class Ours:
    """Framework M's repository."""

    def __init__(self, app: FrameworkM) -> None:
        self._orders = app.repository(Order)
        self._names: list[str] = []

    async def insert(self) -> None:
        for number in range(SINGLE):
            self._names.append((await self._orders.save(order(number))).name)

    async def insert_batch(self) -> None:
        await self._orders.insert_many(order(number) for number in range(BATCH))

    async def get(self) -> None:
        for name in self._names[-SINGLE:]:
            await self._orders.get(name)

    async def list_page(self) -> None:
        for _ in range(5):
            assert len(await self._orders.list(limit=PAGE)) == PAGE


class Orm:
    """A session per piece of work, as in a web request."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._names: list[str] = []

    async def insert(self) -> None:
        for number in range(SINGLE):
            async with self._sessions() as session:
                new = orm_order(number)
                session.add(new)
                await session.commit()
                self._names.append(new.name)

    async def insert_batch(self) -> None:
        async with self._sessions() as session:
            session.add_all(orm_order(number) for number in range(BATCH))
            await session.commit()

    async def get(self) -> None:
        for name in self._names[-SINGLE:]:
            async with self._sessions() as session:
                assert await session.get(OrmOrder, name) is not None

    async def list_page(self) -> None:
        for _ in range(5):
            async with self._sessions() as session:
                query = select(OrmOrder).order_by(OrmOrder.name).limit(PAGE)
                assert len((await session.scalars(query)).all()) == PAGE


WORK = {
    "single insert": ("insert", SINGLE),
    f"batch of {BATCH}": ("insert_batch", BATCH),
    "get": ("get", SINGLE),
    f"list of {PAGE}": ("list_page", 5 * PAGE),
}


async def main() -> None:
    print(f"{'database':<11} {'work':<15} {'ours':>9} {'ORM':>9}   documents/s   ours/ORM")
    for database, address in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with address() as settings:
            async with _opened(settings) as (ours, orm):
                rates = await _measure(ours, orm)
        for work, (mine, theirs) in rates.items():
            ratio = f"{mine / theirs:.2f}"
            print(f"{database:<11} {work:<15} {mine:>9,.0f} {theirs:>9,.0f} {ratio:>24}")
        single, batch = (rates[work][0] for work in list(WORK)[:2])
        print(f"{database:<11} insert_many is {batch / single:.1f} times one by one")


async def _measure(ours: Ours, orm: Orm) -> dict[str, tuple[float, float]]:
    times: dict[str, tuple[list[float], list[float]]] = {work: ([], []) for work in WORK}
    for _ in range(ROUNDS):  # by turns: what disturbs the one disturbs the other
        for work, (method, _) in WORK.items():
            times[work][0].append(await _timed(getattr(ours, method)))
            times[work][1].append(await _timed(getattr(orm, method)))
    return {
        work: (count / statistics.median(times[work][0]), count / statistics.median(times[work][1]))
        for work, (_, count) in WORK.items()
    }


async def _timed(act: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await act()
    return time.perf_counter() - started


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Ours, Orm]]:
    app = FrameworkM([__name__], settings=settings)
    await app.migrate()
    async with app:
        async with app.ports.database.begin() as connection:
            await connection.run_sync(app.ports.tables.metadata.create_all)
            await connection.run_sync(Base.metadata.create_all)
        engine = plain_engine(app.ports.database.url)
        yield Ours(app), Orm(async_sessionmaker(engine, expire_on_commit=False))
        await engine.dispose()


def plain_engine(url: str) -> AsyncEngine:
    """SQLAlchemy's own defaults, but for how careful SQLite is with the disk: as we are."""
    engine = create_async_engine(url, pool_size=10)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _as_careful(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=NORMAL")

    return engine


if __name__ == "__main__":
    asyncio.run(main())
