"""Callers from outside: users with tokens, and clients that send them."""

import contextlib
from collections.abc import AsyncIterator

import httpx

from framework_m import FrameworkM, User
from framework_m.core.access.permissions import FULL_ACCESS

ADMIN = User("admin", frozenset({FULL_ACCESS}))
CLERK = User("clerk", frozenset({"Clerk"}))
NOBODY = User("nobody")


async def bearer(app: FrameworkM, user: User) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {(await app.access.keys.create(user)).text}"}


@contextlib.asynccontextmanager
async def calling(app: FrameworkM, user: User | None = ADMIN) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, in this process; without a token if there is no user."""
    transport = httpx.ASGITransport(
        app.asgi,  # type: ignore[arg-type]  # Litestar types its messages more closely
        raise_app_exceptions=False,
    )
    headers = {} if user is None else await bearer(app, user)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        yield client


def fields(answer: httpx.Response) -> dict[str, str]:
    """What a problem says about each field."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return {error["field"]: error["message"] for error in problem["errors"]}
