"""Port: where documents are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, overload

from framework_m.core.doctypes.base import DocType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from framework_m.core.identity import User
    from framework_m.core.interfaces.filters import Filter
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

D = TypeVar("D", bound=DocType)

PAGE = 50
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page(Sequence[D], Generic[D]):
    """Some of the documents of a list: a sequence, and how to get the next ones."""

    items: tuple[D, ...]
    next_cursor: str | None
    """`list(cursor=…)` with the same filter and order continues here; None at the end."""

    @overload
    def __getitem__(self, index: int) -> D: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[D, ...]: ...
    def __getitem__(self, index: int | slice) -> D | tuple[D, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


class Repository(Protocol[D]):
    """Keeps the documents of one DocType.

    Transaction: the one it was taken from (`tx.repository(Invoice)`); else that of the context;
        else each call commits one of its own.
    Hooks: the controller's run in that transaction; whatever a hook raises rolls it back.
    Versions: a save succeeds only on the version that was loaded, and counts it up, so that no
        save overwrites another unseen.
    Values: what a document holds after a save is what the database holds: times in UTC,
        Decimals at their scale, JSON as JSON. If the transaction rolls back, the document's
        name, version and stamps are again what they were.
    Raises: what each method names, and UnavailableError: DatabaseUnavailableError (retry later)
        or MissingTableError (no table yet). Nothing else.
    """

    async def get(self, name: str, *, for_update: bool = False) -> D:
        """One document. Raises NotFoundError.

        for_update: nobody else can save it until this transaction ends (needs one).
        """

    async def get_many(self, names: Iterable[str]) -> dict[str, D]:
        """Those of the named documents that exist, by name, in the order asked for."""

    async def save(self, document: D) -> D:
        """Insert it if it is new (version 0), else update it; returns the same object.

        Raises InvalidDocumentError, DuplicateError, LinkError, ConflictError (stale: load it
        again), NotFoundError (deleted since), DocumentStateError (submitted or cancelled).
        """

    async def insert_many(self, documents: Iterable[D]) -> Sequence[D]:
        """Insert new documents, all or none, in one statement. Raises as `save`."""

    async def delete(self, document: D | str) -> None:
        """Delete it: this version of it where a document is given, any where a name is.

        Raises NotFoundError, ConflictError, LinkError (others link to it), DocumentStateError
        (submitted: cancel it first).
        """

    async def submit(self, document: D) -> D:
        """Save it and close it to changes. Raises as `save`, and where it is not submittable."""

    async def cancel(self, document: D) -> D:
        """Take back a submitted document, which then stays as it is. Raises as `submit`."""

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
        """A page of the documents that match.

        search: text that one of Meta.search_fields contains, in any case.
        order_by: fields; "-total" descends. Without a value counts as largest. Ties are in the
            order of their names.
        limit: 1 to 1000.
        cursor: continue after the page that gave it: it skips and repeats nothing when documents
            come and go meanwhile, and costs the same on every page, unlike `offset`.

        Raises FilterError, CursorError.
        """

    async def count(self, where: Filter | None = None, *, search: str | None = None) -> int:
        """How many documents match. Raises FilterError."""

    async def exists(self, where: Filter | str) -> bool:
        """Whether a document matches, or has this name. Raises FilterError."""

    def iterate(
        self,
        where: Filter | None = None,
        *,
        order_by: str | Sequence[str] = ("name",),
        batch: int = 500,
    ) -> AsyncIterator[D]:
        """Every document that matches, fetched in batches; no transaction spans them all."""


class Repositories(Protocol):
    """Gives the repository of each DocType of an application."""

    def __call__(
        self,
        doctype: type[D],
        unit: UnitOfWorkProtocol | None = None,
        *,
        as_user: User | None = None,
    ) -> Repository[D]:
        """Raises UnknownDocTypeError.

        as_user: do what this user may and nothing else; without one, the program is trusted.
            What the user may not read is NotFoundError and in no list, what may be read and not
            changed is ForbiddenError.
        """
