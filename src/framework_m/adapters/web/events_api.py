"""Events over HTTP: the dead letters, and giving one to its group once more."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, problem
from framework_m.adapters.web.dependencies import Application
from framework_m.adapters.web.errors import BadRequestError
from framework_m.core.events.letters import LetterRecord
from framework_m.core.ids import is_uuid


class LetterPage(BaseModel):
    """Some dead letters, newest first."""

    items: list[LetterRecord]
    next_cursor: str | None = Field(description="Ask again with it for the next; null at the end.")


@get("/", summary="List dead letters", responses=COMMON)
async def list_dead(
    application: Application,
    group: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    cursor: FromQuery[str | None] = None,
) -> LetterPage:
    """Events that failed in every attempt, or could not be read. Newest first."""
    if cursor is not None and not is_uuid(cursor):
        raise BadRequestError("cursor", "is not one that an earlier page gave")
    found = await application.events.dead(group=group, limit=limit + 1, before=cursor)
    items = [LetterRecord.of(letter) for letter in found[:limit]]
    return LetterPage(items=items, next_cursor=items[-1].id if len(found) > limit else None)


@post(
    "/{letter_id:str}/redrive",
    status_code=202,
    summary="Re-drive a dead letter",
    responses={**COMMON, 404: problem("There is no such dead letter.")},
)
async def redrive(letter_id: FromPath[str], application: Application) -> Response[dict[str, str]]:
    """Its group gets it once more, with all its attempts; the dead letter is gone."""
    if not is_uuid(letter_id):
        raise BadRequestError("letter_id", "is not a UUID")
    await application.events.redrive(letter_id)
    return Response({"id": letter_id, "message": "goes to its group once more"}, status_code=202)


def router() -> Router:
    return Router("/api/v1/dead-events", route_handlers=[list_dead, redrive], tags=["events"])
