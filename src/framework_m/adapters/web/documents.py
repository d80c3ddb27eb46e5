"""What is added to an application's OpenAPI document: how to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.openapi.spec import Components, SecurityScheme

if TYPE_CHECKING:
    from litestar.openapi import OpenAPIConfig


def describe(config: OpenAPIConfig) -> None:
    """Tell what the security requirements of our routes mean."""
    others = config.components if isinstance(config.components, list) else [config.components]
    ours = Components(
        security_schemes={
            "bearer": SecurityScheme(
                type="http", scheme="bearer", description="A JWT or an API key: `m token:create`."
            ),
            "session": SecurityScheme(
                type="apiKey",
                name="framework_m_session",
                security_scheme_in="cookie",
                description="Set by POST /api/v1/session; on https its name begins with `__Host-`.",
            ),
        }
    )
    config.components = [*others, ours]
