"""What a client needs to know of a DocType: its schema, and what its user may do."""

from __future__ import annotations

from typing import Any

from litestar import Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.auth import OWN_CHECKS
from framework_m.adapters.web.dependencies import Application, CurrentUser
from framework_m.core.access.permissions import Reach, reach
from framework_m.core.doctypes.meta import ACTIONS
from framework_m.core.doctypes.representation import Representation
from framework_m.core.errors import UnknownDocTypeError
from framework_m.core.interfaces.filters import Operator


class DocTypeDescription(BaseModel):
    """One DocType, as its user may use it."""

    doctype: str
    json_schema: dict[str, Any] = Field(description="Of a document as it is read.")
    create_schema: dict[str, Any] = Field(description="Of a document as it is created.")
    submittable: bool
    list_columns: list[str] = Field(description="What a table of documents shows.")
    search_fields: list[str] = Field(description="Where `search` looks.")
    operators: list[str] = Field(description="What `filters` may compare by.")
    permissions: dict[str, Reach] = Field(
        description="What you may do: with all documents, your own, or none."
    )


@get(
    "/{doctype:str}",
    summary="What a DocType is",
    opt=OWN_CHECKS,
    responses={**COMMON, 404: problem("No DocType of this name is served.")},
)
async def get_meta(
    doctype: FromPath[str], application: Application, user: CurrentUser
) -> DocTypeDescription:
    """Its JSON Schema, how to list it, and what you may do."""
    try:
        found = application.doctypes.get(doctype)
    except UnknownDocTypeError:
        found = None
    if found is None or not found.meta.api_resource:
        raise NotFoundException("no DocType of this name is served")
    representation = Representation(found.doctype, found.meta)
    return DocTypeDescription(
        doctype=found.name,
        json_schema=representation.schema("read", "#/$defs/{model}"),
        create_schema=representation.schema("create", "#/$defs/{model}"),
        submittable=found.meta.submittable,
        list_columns=[n for n in found.meta.list_columns if n not in representation.secrets],
        search_fields=list(found.meta.search_fields),
        operators=[operator.value for operator in Operator],
        permissions={action: reach(user, found.meta, action) for action in sorted(ACTIONS)},
    )


def router() -> Router:
    return Router("/api/v1/meta", route_handlers=[get_meta], tags=["meta"])
