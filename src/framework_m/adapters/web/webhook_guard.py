"""A guard for routes that receive webhooks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException

from framework_m.core.errors import WebhookVerificationError

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler
    from litestar.types import Guard

Check = Callable[[Iterable[tuple[bytes, bytes]], bytes], None]

logger = logging.getLogger(__name__)


def guard(check: Check) -> Guard:
    """Lets requests pass that `check` does not raise WebhookVerificationError for; else 401."""

    async def verified(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        if not isinstance(connection, Request):
            raise NotAuthorizedException("webhooks come as HTTP requests")
        # The handler gets the same bytes: Litestar keeps them.
        body = await connection.body()
        try:
            check(connection.scope["headers"], body)
        except WebhookVerificationError as error:
            logger.info("%s refused a request: %s", handler.handler_name, error.reason)
            raise NotAuthorizedException(str(error)) from error

    return verified
