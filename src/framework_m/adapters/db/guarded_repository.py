"""GuardedRepository: a repository that does for a user what that user may, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from framework_m.adapters.db.annotations import declared
from framework_m.core.access.permissions import Reach, reach, reaches
from framework_m.core.doctypes.base import DocType, stored_values
from framework_m.core.errors import (
    FieldError,
    FilterError,
    ForbiddenError,
    LinkError,
    NotFoundError,
)
from framework_m.core.interfaces.filters import Filter, where
from framework_m.core.interfaces.repository import PAGE, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from framework_m.adapters.db.generic_repository import GenericRepository
    from framework_m.core.doctypes.meta import DocTypeMeta
    from framework_m.core.identity import User

D = TypeVar("D", bound=DocType)


class GuardedRepository(Generic[D]):
    """The Repository port, as one user may use it.

    What the user may not read does not exist: it is asked for by a query that does not find it,
    so that it answers as a document does that never was, and in the same time. What may be read
    and not changed raises ForbiddenError.

    readable: for a DocType's name, the same user's repository of it: links are looked up there.
    """

    def __init__(
        self,
        inner: GenericRepository[D],
        user: User,
        readable: Callable[[str], GuardedRepository[Any]],
    ) -> None:
        self._inner = inner
        self._user = user
        self._readable = readable
        self._links = _links(inner.binding.doctype)

    async def get(self, name: str, *, for_update: bool = False) -> D:
        if for_update:
            await self._require(name)
            return await self._inner.get(name, for_update=True)
        found = await self._readable_one(name)
        if found is None:
            raise NotFoundError(self._doctype, name)
        return found

    async def get_many(self, names: Iterable[str]) -> dict[str, D]:
        allowed = self._reach("read")
        if allowed is Reach.NONE:
            return {}
        found = await self._inner.get_many(names)
        return {
            name: document
            for name, document in found.items()
            if reaches(allowed, self._user, document.owner)
        }

    async def save(self, document: D) -> D:
        if document.version == 0:
            await self.insert_many([document])
            return document
        await self._require(document.name, "write")
        await self._require_links(document)
        return await self._inner.save(document)

    async def insert_many(self, documents: Iterable[D]) -> Sequence[D]:
        new = list(documents)
        if self._reach("create") is Reach.NONE:
            raise self._forbidden("create")
        for document in new:
            document.__dict__.update(owner=self._user.id, creation=None)
            await self._require_links(document)
        return await self._inner.insert_many(new)

    async def delete(self, document: D | str) -> None:
        name = document if isinstance(document, str) else document.name
        await self._require(name, "delete")
        try:
            await self._inner.delete(document)
        except LinkError:
            # By which documents is not said: they may be ones that the user may not read.
            told = FieldError("name", "other documents still link to it")
            raise LinkError(self._doctype, name, [told]) from None

    async def submit(self, document: D) -> D:
        await self._require(document.name, "submit")
        await self._require_unchanged(document)
        return await self._inner.submit(document)

    async def cancel(self, document: D) -> D:
        await self._require(document.name, "cancel")
        await self._require_unchanged(document)
        return await self._inner.cancel(document)

    async def list(
        self,
        where: Filter | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] = ("name",),
        limit: int = PAGE,
        offset: int = 0,
        cursor: str | None = None,
    ) -> Page[D]:
        return await self._inner.list(
            self._visible(where),
            search=search,
            order_by=order_by,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )

    async def count(self, where: Filter | None = None, *, search: str | None = None) -> int:
        return await self._inner.count(self._visible(where), search=search)

    async def exists(self, where: Filter | str) -> bool:
        if isinstance(where, str):
            return await self._readable_one(where) is not None
        wanted = self._visible(where)
        return wanted is not None and await self._inner.exists(wanted)

    def iterate(
        self,
        where: Filter | None = None,
        *,
        order_by: str | Sequence[str] = ("name",),
        batch: int = 500,
    ) -> AsyncIterator[D]:
        return self._inner.iterate(self._visible(where), order_by=order_by, batch=batch)

    @property
    def _doctype(self) -> str:
        return self._inner.binding.name

    @property
    def _meta(self) -> DocTypeMeta:
        return self._inner.binding.meta

    def _reach(self, action: str) -> Reach:
        return reach(self._user, self._meta, action)

    def _visible(self, wanted: Filter | None) -> Filter | None:
        """What is asked for, of what may be read. Raises ForbiddenError if that is nothing."""
        match self._reach("read"):
            case Reach.ALL:
                return wanted
            case Reach.OWN:
                own = where("owner").eq(self._user.id)
                return own if wanted is None else own & wanted
        raise self._forbidden("read")

    async def _readable_one(self, name: str) -> D | None:
        # One query for both: whether it is not there or not the user's is the database's secret.
        try:
            found = await self._inner.list(self._visible(where("name").eq(name)), limit=1)
        except (FilterError, ForbiddenError):  # no text that could be a name; nothing to be read
            return None
        return found[0] if found else None

    async def _require(self, name: str, action: str | None = None) -> D:
        """Raises NotFoundError where it may not be read, ForbiddenError where only that."""
        found = await self._readable_one(name)
        if found is None:
            raise NotFoundError(self._doctype, name)
        if action is not None and not reaches(self._reach(action), self._user, found.owner):
            raise self._forbidden(action)
        return found

    async def _require_unchanged(self, document: D) -> None:
        """To submit is no way to write."""
        found = await self._require(document.name)
        if not reaches(self._reach("write"), self._user, found.owner) and (
            found.version == document.version and found.model_dump() != document.model_dump()
        ):
            raise self._forbidden("write")

    async def _require_links(self, document: D) -> None:
        """A link to what may not be read is refused as one to nothing is."""
        stored = stored_values(document) or {}
        errors = []
        for field, target in self._links.items():
            wanted = getattr(document, field)
            if wanted is None or wanted == stored.get(field):
                continue
            if not await self._readable(target).exists(wanted) and not self._is_own(
                document, target, wanted
            ):
                errors.append(FieldError(field, f"links to no {target}: {wanted!r}"))
        if errors:
            raise LinkError(self._doctype, document.name or None, errors)

    def _is_own(self, document: D, target: str, wanted: str) -> bool:
        """A new document may link to itself."""
        return target == self._doctype and document.version == 0 and wanted == document.name

    def _forbidden(self, action: str) -> ForbiddenError:
        return ForbiddenError(f"your roles do not allow to {action} {self._doctype}")


def _links(doctype: type[DocType]) -> dict[str, str]:
    """Field → DocType that it links to."""
    found = {name: declared(field).link for name, field in doctype.model_fields.items()}
    return {name: link.doctype for name, link in found.items() if link is not None}
