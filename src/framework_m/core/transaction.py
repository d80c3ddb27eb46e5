"""Transaction: what `async with app.transaction() as tx:` gives."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from framework_m.core.doctypes.base import DocType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from pydantic import BaseModel

    from framework_m.core.events.service import Events
    from framework_m.core.identity import User
    from framework_m.core.interfaces.repository import Repositories, Repository
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol
    from framework_m.core.jobs.function import JobCall, JobRequest
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.service import Jobs

D = TypeVar("D", bound=DocType)
P = ParamSpec("P")
R = TypeVar("R")


class Transaction:
    """One transaction: its documents, jobs and events commit or vanish together (invariant 1).

    After an error of the database or of a hook nothing of it can be committed, even where the
    error is caught: what may fail belongs in `nested()`.
    """

    def __init__(
        self, unit: UnitOfWorkProtocol, repositories: Repositories, jobs: Jobs, events: Events
    ) -> None:
        self.unit = unit
        self._repositories = repositories
        self._jobs = jobs
        self._events = events

    @property
    def is_open(self) -> bool:
        """False once it has committed or rolled back."""
        return self.unit.is_open

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]:
        """The documents of one DocType, in this transaction.

        as_user: only as far as this user's roles reach; see `app.repository`.
        """
        return self._repositories(doctype, self.unit, as_user=as_user)

    @overload
    async def enqueue(
        self, job: JobRequest[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobHandle[R]: ...
    @overload
    async def enqueue(self, job: str, /, **kwargs: Any) -> JobHandle[Any]: ...
    async def enqueue(
        self, job: JobRequest[..., Any] | str, /, *args: Any, **kwargs: Any
    ) -> JobHandle[Any]:
        """Ask for a run that happens if this transaction commits: `JobRequest.enqueue`."""
        return await self._jobs.enqueue_in(self.unit, job, args, kwargs)

    async def enqueue_many(self, calls: Iterable[JobCall[R]]) -> Sequence[JobHandle[R]]:
        """Ask for many runs at once: `JobRequest.enqueue_many`."""
        return await self._jobs.enqueue_many_in(self.unit, calls)

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        """Publish an event that is heard if this transaction commits: `app.publish`."""
        await self._events.publish_in(self.unit, event, topic)

    async def execute(self, statement: Any, rows: Any = None) -> Any:
        """Run a SQLAlchemy statement of your own in this transaction."""
        return await self.unit.execute(statement, rows)

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do this once the transaction has committed; see `UnitOfWorkProtocol`."""
        self.unit.after_commit(action)

    @contextlib.asynccontextmanager
    async def nested(self) -> AsyncIterator[Transaction]:
        """A part that can fail alone: an error that leaves the block undoes the block only.

        Others who use the outer transaction meanwhile wait for the end of the block.
        """
        async with self.unit.nested() as inner:
            yield Transaction(inner, self._repositories, self._jobs, self._events)
