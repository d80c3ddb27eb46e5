"""What running code may use of its application: jobs and event handlers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from framework_m.core.doctypes.base import DocType

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncSession

    from framework_m.core.identity import User
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.jobs.function import JobRequest
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.retention import Retention
    from framework_m.core.transaction import Transaction

D = TypeVar("D", bound=DocType)
P = ParamSpec("P")
R = TypeVar("R")


class Services(Protocol):
    """What of its application running code may use."""

    async def enqueue(self, job: Any, /, *args: Any, **kwargs: Any) -> JobHandle[Any]: ...

    async def publish(self, event: BaseModel, topic: str | None = None) -> None: ...

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]: ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...

    def session(self) -> AbstractAsyncContextManager[AsyncSession]: ...

    @property
    def retention(self) -> Retention: ...


class ServiceContext:
    """The part that the contexts of jobs and of event handlers share."""

    __slots__ = ("_services",)

    def __init__(self, services: Services) -> None:
        self._services = services

    @overload
    async def enqueue(
        self, job: JobRequest[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobHandle[R]: ...
    @overload
    async def enqueue(self, job: str, /, **kwargs: Any) -> JobHandle[Any]: ...
    async def enqueue(self, job: Any, /, *args: Any, **kwargs: Any) -> JobHandle[Any]:
        """Ask for a run, as a child of what runs here; so does `f.enqueue(…)`."""
        return await self._services.enqueue(job, *args, **kwargs)

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        """Publish an event: `app.publish`."""
        await self._services.publish(event, topic)

    def repository(self, doctype: type[D], *, as_user: User | None = None) -> Repository[D]:
        """The documents of one DocType: `app.repository`.

        as_user: in a job `ctx.user`, to do no more than whoever enqueued it may.
        """
        return self._services.repository(doctype, as_user=as_user)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: `async with ctx.transaction() as tx`, as `app.transaction`."""
        return self._services.transaction()

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """An SQLAlchemy session: `async with ctx.session() as session`.

        What is left at the end of the block is committed, an error rolls it back, and
        `session.commit()` commits at once. What is saved and enqueued in the block is part of the
        session's transaction. Raises ConfigurationError inside a transaction.
        """
        return self._services.session()


def services_of(context: ServiceContext) -> Services:
    """For the framework's own jobs: they may use more than what contexts offer to everybody."""
    return context._services
