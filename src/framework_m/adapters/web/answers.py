"""The answers that handlers have in common, for the OpenAPI document."""

from __future__ import annotations

from litestar.openapi.datastructures import ResponseSpec

from framework_m.adapters.web.errors import Problem


def problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        Problem,
        description=description,
        media_type="application/problem+json",
        generate_examples=False,
    )


COMMON = {
    400: problem("The request means nothing."),
    401: problem("A valid token is needed."),
    403: problem("The user's roles do not allow it."),
    503: problem("A server is away."),
}
WITH_BODY = {
    413: problem("The body is too large."),
    415: problem("The body is not JSON."),
}
LIMITED = {429: problem("Too many requests: wait for `Retry-After` seconds.")}
