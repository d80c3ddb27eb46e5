"""Sessions over HTTP: a browser holds a cookie, which scripts cannot see, instead of a token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import Cookie
from pydantic import BaseModel, Field

from framework_m.adapters.web.answers import COMMON, LIMITED
from framework_m.adapters.web.auth import OWN_CHECKS, cookie_name, is_loopback
from framework_m.adapters.web.dependencies import Application
from framework_m.adapters.web.documents import documented
from framework_m.core.errors import NotAuthenticatedError
from framework_m.core.interfaces.access import SignedIn


class Session(BaseModel):
    """Who is signed in."""

    user_id: str
    roles: list[str]
    expires_at: datetime | None = Field(description="Null: not before it is revoked.")


@post("/", summary="Open a session", opt=OWN_CHECKS, responses={**COMMON, **LIMITED})
async def open_session(
    request: Request[Any, SignedIn, Any], application: Application
) -> Response[Session]:
    """Sets a cookie for the user of the bearer token. It is http-only and same-site."""
    signed_in = request.auth
    if signed_in.key is not None and signed_in.key.is_session:
        raise NotAuthenticatedError  # or it would never end
    new = await application.access.open_session(signed_in)
    opened = SignedIn(signed_in.user, new.record.expires_at, new.record)
    return Response(_shown(opened), cookies=[_cookie(request, new.text, new.record.expires_at)])


@get("/", summary="Who is signed in", opt=OWN_CHECKS, responses=COMMON)
async def get_session(request: Request[Any, SignedIn, Any]) -> Session:
    """By token or by cookie."""
    return _shown(request.auth)


@delete(
    "/",
    summary="Close the session",
    opt=OWN_CHECKS,
    operation_class=documented({204: None}),
    responses=COMMON,
)
async def close_session(
    request: Request[Any, SignedIn, Any], application: Application
) -> Response[None]:
    """The session ends for everybody who has the cookie. A bearer token stays as it was."""
    key = request.auth.key
    if key is not None and key.is_session:
        await application.access.keys.revoke(key.name)
    answer = Response(None, status_code=204)
    answer.set_cookie(_cookie(request, "", None, max_age=0))
    return answer


def opening() -> Router:
    """Apart from the others: its limit comes before it is known who asks."""
    return Router("/api/v1/session", route_handlers=[open_session], tags=["sessions"])


def router() -> Router:
    return Router("/api/v1/session", route_handlers=[get_session, close_session], tags=["sessions"])


def _shown(signed_in: SignedIn) -> Session:
    user = signed_in.user
    return Session(user_id=user.id, roles=sorted(user.roles), expires_at=signed_in.expires_at)


def _cookie(
    request: Request[Any, Any, Any],
    text: str,
    expires_at: datetime | None,
    max_age: int | None = None,
) -> Cookie:
    if expires_at is not None:
        max_age = max(0, int((expires_at - datetime.now(expires_at.tzinfo)).total_seconds()))
    return Cookie(
        key=cookie_name(request),
        value=text,
        path="/",
        max_age=max_age,
        secure=not is_loopback(request),
        httponly=True,
        samesite="strict",
    )
