"""The routes of each DocType that is served: `/api/v1/resource/{DocType}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter

from framework_m.adapters.web.answers import COMMON, WITH_BODY, problem
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.documents import documented
from framework_m.adapters.web.resources import ListQuery, Resource
from framework_m.core.interfaces.repository import LARGEST_PAGE, PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framework_m.core.doctypes.representation import Representation

Asking = Request[Any, Any, Any]
Answer = Response[Any]
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The ETag that the document must have still."),
]

_MISSING = {404: problem("There is no such document, or none that you may read.")}
_CHANGES = {
    **COMMON,
    **_MISSING,
    409: problem("Its state, or another document, is in the way."),
    412: problem("It is not at that version any more."),
    422: problem("It does not fit; `errors` names each field."),
}


def routers(representations: Iterable[Representation[Any]]) -> list[Router]:
    return [_router(Resource(representation)) for representation in representations]


def _router(resource: Resource[Any]) -> Router:
    handlers = [*_reading(resource), *_writing(resource), *_removing(resource)]
    if resource.representation.meta.submittable:
        handlers += _submitting(resource)
    path = f"/api/v1/resource/{resource.name}"
    return Router(path, route_handlers=handlers, opt=OWN_CHECKS, tags=[resource.name])


def _reading(resource: Resource[Any]) -> list[HTTPRouteHandler]:
    name = resource.name

    @get(
        "/",
        summary=f"List documents: {name}",
        operation_id=f"list{name}",
        operation_class=documented({200: f"{name}Page"}),
        responses=COMMON,
    )
    async def list_documents(
        request: Asking,
        filters: Annotated[
            str | None,
            QueryParameter(description='JSON: {"total": {"ge": "100"}, "customer": "Ada"}.'),
        ] = None,
        search: FromQuery[str | None] = None,
        order_by: Annotated[
            str, QueryParameter(description="Fields; a minus before one descends.")
        ] = "name",
        fields: Annotated[str | None, QueryParameter(description="Only these fields.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE)] = PAGE,
        cursor: FromQuery[str | None] = None,
    ) -> Answer:
        """Those that you may read, a page at a time."""
        query = ListQuery(filters, search, order_by, fields, limit, cursor)
        return await resource.list(request, query)

    @get(
        "/{name:str}",
        summary=f"One document: {name}",
        operation_id=f"get{name}",
        operation_class=documented({200: name, 304: None}),
        responses={**COMMON, **_MISSING},
    )
    async def get_document(
        request: Asking,
        name: FromPath[str],
        if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match")] = None,
    ) -> Answer:
        """As it stands. Its version is its ETag."""
        return await resource.get(request, name)

    return [list_documents, get_document]


def _writing(resource: Resource[Any]) -> list[HTTPRouteHandler]:
    name = resource.name
    responses = {**_CHANGES, **WITH_BODY}

    @post(
        "/",
        summary=f"Create a document: {name}",
        operation_id=f"create{name}",
        operation_class=documented({201: name}, f"{name}Create"),
        responses={code: said for code, said in responses.items() if code not in (404, 412)},
    )
    async def create_document(request: Asking) -> Answer:
        """The answer holds it as it was stored, if you may read it."""
        return await resource.create(request)

    @put(
        "/{name:str}",
        summary=f"Replace a document: {name}",
        operation_id=f"replace{name}",
        operation_class=documented({200: name}, f"{name}Create"),
        responses=responses,
    )
    async def replace_document(
        request: Asking, name: FromPath[str], if_match: IfMatch = None
    ) -> Answer:
        """What is left out gets its default. Secrets that are left out stay."""
        return await resource.replace(request, name)

    @patch(
        "/{name:str}",
        summary=f"Change a document: {name}",
        operation_id=f"patch{name}",
        operation_class=documented({200: name}, f"{name}Patch", "application/merge-patch+json"),
        responses=responses,
    )
    async def patch_document(
        request: Asking, name: FromPath[str], if_match: IfMatch = None
    ) -> Answer:
        """By JSON Merge Patch (RFC 7396): null removes."""
        return await resource.patch(request, name)

    return [create_document, replace_document, patch_document]


def _removing(resource: Resource[Any]) -> list[HTTPRouteHandler]:
    @delete(
        "/{name:str}",
        summary=f"Delete a document: {resource.name}",
        operation_id=f"delete{resource.name}",
        responses=_CHANGES,
    )
    async def delete_document(
        request: Asking, name: FromPath[str], if_match: IfMatch = None
    ) -> None:
        """Not while others link to it, and not while it is submitted."""
        await resource.delete(request, name)

    return [delete_document]


def _submitting(resource: Resource[Any]) -> list[HTTPRouteHandler]:
    name = resource.name

    @post(
        "/{name:str}/submit",
        status_code=200,
        summary=f"Submit a document: {name}",
        operation_id=f"submit{name}",
        operation_class=documented({200: name}),
        responses=_CHANGES,
    )
    async def submit_document(
        request: Asking, name: FromPath[str], if_match: IfMatch = None
    ) -> Answer:
        """It is closed to changes."""
        return await resource.submit(request, name)

    @post(
        "/{name:str}/cancel",
        status_code=200,
        summary=f"Cancel a document: {name}",
        operation_id=f"cancel{name}",
        operation_class=documented({200: name}),
        responses=_CHANGES,
    )
    async def cancel_document(
        request: Asking, name: FromPath[str], if_match: IfMatch = None
    ) -> Answer:
        """A submitted one; then it stays as it is."""
        return await resource.cancel(request, name)

    return [submit_document, cancel_document]
