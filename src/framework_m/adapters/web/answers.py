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


def job_location(path: str, job_id: str) -> dict[str, str]:
    """The header that says where a job is, for the answer to a request at this path."""
    above, api, _ = path.rpartition("/api/v1/")
    return {"Location": f"{above}{api}jobs/{job_id}"}
