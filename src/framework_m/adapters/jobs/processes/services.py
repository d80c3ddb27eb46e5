"""What a job in a process finds where others have the application's services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncSession

    from framework_m.core.identity import User
    from framework_m.core.interfaces.repository import Repository
    from framework_m.core.jobs.handle import JobHandle
    from framework_m.core.jobs.retention import Retention
    from framework_m.core.transaction import Transaction


class NoServices:
    """Refuses each, saying why: they belong to the worker's event loop and connections."""

    def __init__(self, job_name: str) -> None:
        self._job_name = job_name

    async def enqueue(self, job: Any, /, *args: Any, **kwargs: Any) -> JobHandle[Any]:
        self._refuse("enqueue")

    async def publish(self, event: BaseModel, topic: str | None = None) -> None:
        self._refuse("publish")

    def repository(self, doctype: type[Any], *, as_user: User | None = None) -> Repository[Any]:
        self._refuse("repository")

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        self._refuse("transaction")

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        self._refuse("session")

    @property
    def retention(self) -> Retention:
        self._refuse("retention")

    def _refuse(self, service: str) -> NoReturn:
        raise ConfigurationError(
            f"job {self._job_name!r} runs in a process, where ctx.{service} is not to be had: "
            f"return what is to be kept, or leave executor='process' out"
        )
