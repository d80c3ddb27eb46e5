"""Documents over HTTP: what each operation does, for any DocType."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException
from pydantic import ValidationError

from framework_m.adapters.web.auth import application_of
from framework_m.adapters.web.bodies import decoded, json_object
from framework_m.adapters.web.conditions import etag, is_known, require_match
from framework_m.adapters.web.errors import BadRequestError
from framework_m.core.access.permissions import Reach, reach, reaches
from framework_m.core.doctypes.base import DocType
from framework_m.core.doctypes.representation import field_errors
from framework_m.core.errors import FieldError, InvalidDocumentError, LinkError
from framework_m.core.interfaces.filters import parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from framework_m.core.doctypes.representation import Representation
    from framework_m.core.interfaces.filters import Filter
    from framework_m.core.interfaces.repository import Repository

D = TypeVar("D", bound=DocType)
Asking = Request[Any, Any, Any]

_QUERY = ("filters", "search", "order_by", "fields", "limit", "cursor")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list is asked for, as it stands in the query."""

    filters: str | None
    search: str | None
    order_by: str
    fields: str | None
    limit: int
    cursor: str | None


class Resource(Generic[D]):
    """One DocType. Every operation is done as the user who asks."""

    def __init__(self, representation: Representation[D]) -> None:
        self.representation = representation

    @property
    def name(self) -> str:
        return self.representation.name

    async def list(self, request: Asking, query: ListQuery) -> Response[Any]:
        for name in request.query_params:
            if name not in _QUERY:
                raise BadRequestError(name, "means nothing here; use " + ", ".join(_QUERY))
        fields = self._fields(query.fields)
        page = await self._repository(request).list(
            _filter(query.filters),
            search=query.search,
            order_by=[part.strip() for part in query.order_by.split(",")],
            limit=query.limit,
            cursor=query.cursor,
        )
        items = [self.representation.shown(document, fields) for document in page]
        return Response({"items": items, "next_cursor": page.next_cursor})

    async def get(self, request: Asking, name: str) -> Response[Any]:
        document = await self._repository(request).get(name)
        # A field that is filled between versions may have changed: only the version has not.
        known = is_known(request.headers.get("if-none-match"), document)
        if known and not self.representation.filled:
            return Response(None, status_code=304, headers={"ETag": etag(document)})
        return self._answer(document)

    async def create(self, request: Asking) -> Response[Any]:
        body = await json_object(request, self.name)
        with self._all_at_once(request, "create", body):
            document = self.representation.created(body)
        async with self._writing(request) as repository:
            await repository.save(document)
        path = f"{request.url.path.rstrip('/')}/{quote(document.name, safe='')}"
        location = {"Location": path}
        allowed = reach(request.user, self.representation.meta, "read")
        if not reaches(allowed, request.user, document.owner):
            return Response(b"", status_code=201, headers=location, media_type="text/plain")
        return self._answer(document, 201, location)

    async def replace(self, request: Asking, name: str) -> Response[Any]:
        return await self._change(request, name, self.representation.replace)

    async def patch(self, request: Asking, name: str) -> Response[Any]:
        return await self._change(request, name, self.representation.patch)

    async def submit(self, request: Asking, name: str) -> Response[Any]:
        async with self._loaded(request, name) as (repository, document):
            await repository.submit(document)
        return self._answer(document)

    async def cancel(self, request: Asking, name: str) -> Response[Any]:
        async with self._loaded(request, name) as (repository, document):
            await repository.cancel(document)
        return self._answer(document)

    async def delete(self, request: Asking, name: str) -> None:
        async with self._loaded(request, name) as (repository, document):
            try:
                await repository.delete(document)
            except LinkError as error:
                raise HTTPException(status_code=409, detail=str(error)) from error

    async def _change(
        self, request: Asking, name: str, change: Callable[[D, dict[str, Any]], None]
    ) -> Response[Any]:
        body = await json_object(request, self.name)
        async with self._loaded(request, name) as (repository, document):
            is_patch = change == self.representation.patch
            with self._all_at_once(request, "write", body, document if is_patch else None):
                change(document, body)
            await repository.save(document)
        return self._answer(document)

    def _answer(
        self, document: D, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response[Any]:
        told = {"ETag": etag(document), **(headers or {})}
        return Response(self.representation.shown(document), status_code=status, headers=told)

    def _repository(self, request: Asking) -> Repository[D]:
        application = application_of(request)
        return application.repository(self.representation.doctype, as_user=request.user)

    @contextlib.asynccontextmanager
    async def _writing(self, request: Asking) -> AsyncIterator[Repository[D]]:
        with self._hooks_may_refuse():
            async with application_of(request).transaction() as tx:
                yield tx.repository(self.representation.doctype, as_user=request.user)

    @contextlib.asynccontextmanager
    async def _loaded(self, request: Asking, name: str) -> AsyncIterator[tuple[Repository[D], D]]:
        """The document, nobody else's to change until the end of the block."""
        async with self._writing(request) as repository:
            document = await repository.get(name, for_update=True)
            require_match(request.headers.get("if-match"), document)
            yield repository, document

    @contextlib.contextmanager
    def _all_at_once(
        self, request: Asking, action: str, body: dict[str, Any], document: D | None = None
    ) -> Iterator[None]:
        """Fields that do not fit do not hide what is wrong with the others."""
        try:
            yield
        except InvalidDocumentError as error:
            if reach(request.user, self.representation.meta, action) is Reach.NONE:
                raise  # nothing more is this user's to know
            told = {fault.field.partition(".")[0] for fault in error.errors}
            part = self.representation.sound_part(body, document)
            more = [
                fault
                for fault in application_of(request).faults(part)
                if fault.field.partition(".")[0] not in told
            ]
            raise InvalidDocumentError(self.name, error.name, [*error.errors, *more]) from error

    @contextlib.contextmanager
    def _hooks_may_refuse(self) -> Iterator[None]:
        """A controller refuses a document by ValueError, as a validator of pydantic does."""
        try:
            yield
        except ValidationError as error:
            raise InvalidDocumentError(self.name, None, field_errors(error)) from error
        except ValueError as error:
            raise InvalidDocumentError(self.name, None, [FieldError("*", str(error))]) from error

    def _fields(self, text: str | None) -> set[str] | None:
        if text is None:
            return None
        named = [part.strip() for part in text.split(",")]
        for name in named:
            if name not in self.representation.shown_fields:
                raise BadRequestError(name or "fields", f"is no field of {self.name} that is shown")
        return set(named)


def _filter(text: str | None) -> Filter | None:
    return None if text is None else parse(decoded(text.encode(errors="replace"), "filters"))
