"""Who asks: every request below the API's prefix is somebody's, or is refused."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware

from framework_m.core.access.permissions import has_full_access
from framework_m.core.errors import ForbiddenError, NotAuthenticatedError
from framework_m.core.identity import acting_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import BaseRouteHandler
    from litestar.types import ASGIApp, Receive, Scope, Send

    from framework_m.core.interfaces.access import SignedIn
    from framework_m.core.interfaces.application import ApplicationProtocol

Connection = ASGIConnection[Any, Any, Any, Any]

OWN_CHECKS = {"framework_m_checks_itself": True}
"""The `opt` of a handler that asks itself what the user may do. Others need full access."""

_APPLICATION = "framework_m_application"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = ("same-origin", "none")
_COOKIE = "framework_m_session"
# A browser takes this name from nobody but the host itself, over https.
_SAFE_COOKIE = f"__Host-{_COOKIE}"


class AccessMiddleware(ASGIMiddleware):
    """Finds out who asks, and lets the request act as that user.

    A bearer token counts, else the session's cookie. A cookie is sent by browsers of their own
    accord, so with a cookie what changes anything must come from a page of this origin.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, application: ApplicationProtocol) -> None:
        # Litestar copies what is in its layers, deeply: a function stays what it is.
        self._application: Callable[[], ApplicationProtocol] = lambda: application

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        signed_in = await self._signed_in(ASGIConnection(scope))
        scope["user"], scope["auth"] = signed_in.user, signed_in
        scope["state"][_APPLICATION] = self._application()
        with acting_as(signed_in.user):
            await next_app(scope, receive, send)

    async def _signed_in(self, connection: Connection) -> SignedIn:
        application = self._application()
        gate = application.access
        header = connection.headers.get("authorization")
        if header is not None:
            return await gate.read(_bearer(header))
        session = session_of(connection)
        if session is None:
            raise NotAuthenticatedError
        signed_in = await gate.read_session(session)
        if connection.scope.get("method") not in _SAFE:
            _require_own_page(connection, application.web_options.trusted_origins)
        return signed_in


def application_of(connection: Connection) -> ApplicationProtocol:
    """The application that the request is for, where it is no dependency."""
    found: ApplicationProtocol = connection.scope["state"][_APPLICATION]
    return found


def requires_full_access(connection: Connection, handler: BaseRouteHandler) -> None:
    """A guard: what does not check by itself is for the role System Manager only."""
    if not any(handler.opt.get(name) for name in OWN_CHECKS) and not has_full_access(
        connection.user
    ):
        raise ForbiddenError("your roles do not allow this")


def session_of(connection: Connection) -> str | None:
    """What the session's cookie holds."""
    return connection.cookies.get(cookie_name(connection))


def cookie_name(connection: Connection) -> str:
    return _COOKIE if is_loopback(connection) else _SAFE_COOKIE


def is_loopback(connection: Connection) -> bool:
    """Whether the browser spoke to its own machine, where there is no https."""
    host = connection.url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bearer(header: str) -> str:
    """Raises NotAuthenticatedError."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticatedError
    return token.strip()


def _require_own_page(connection: Connection, trusted: tuple[str, ...]) -> None:
    """Raises ForbiddenError: the page of another site made the browser send this."""
    origin = connection.headers.get("origin")
    if origin is not None and origin in trusted:
        return
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        same = site in _SAME
    else:
        # Not the scheme: a proxy may have spoken https for us.
        same = origin is not None and urlsplit(origin).netloc == connection.headers.get("host")
    if not same:
        raise ForbiddenError(
            "with a session's cookie, only pages of this origin may change anything: "
            "send a bearer token instead"
        )
