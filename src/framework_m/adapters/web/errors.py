"""Problem details (RFC 9457): every error that leaves over HTTP has this one form."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from pydantic import BaseModel, Field

from framework_m.core.errors import (
    ArgumentError,
    ConflictError,
    CursorError,
    DeadLetterNotFoundError,
    DocumentStateError,
    DuplicateError,
    FieldError,
    FilterError,
    ForbiddenError,
    FrameworkMError,
    InvalidDocumentError,
    JobEndedError,
    JobNotEndedError,
    JobNotFoundError,
    LinkError,
    NotAuthenticatedError,
    NotFoundError,
    ReusedKeyError,
    UnavailableError,
    UnknownJobError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.types import ExceptionHandlersMap

logger = logging.getLogger(__name__)

_RETRY_AFTER = "5"


class FieldProblem(BaseModel):
    """One field that does not fit."""

    field: str
    message: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it; `errors` names each field that was wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)


class BadRequestError(Exception):
    """A query parameter or path that means nothing: 400."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.errors = [FieldError(field, message)]


class UnfitQueryError(Exception):
    """A query that can be read, of which nothing can be made: 422."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = list(errors)


def handlers() -> ExceptionHandlersMap:
    """What Litestar shall make of each exception."""
    return {
        HTTPException: _http,
        ValidationException: _validation,
        BadRequestError: _bad_request,
        UnfitQueryError: unfit_query,
        UnknownJobError: _unknown_job,
        ArgumentError: _arguments,
        JobNotFoundError: _not_found,
        JobEndedError: _in_the_way,
        JobNotEndedError: _in_the_way,
        ReusedKeyError: _reused_key,
        NotFoundError: _not_found,
        InvalidDocumentError: _unfit,
        LinkError: _unfit,
        DuplicateError: _duplicate,
        ConflictError: _stale,
        DocumentStateError: _in_the_way,
        FilterError: _no_query,
        CursorError: _no_query,
        NotAuthenticatedError: _not_authenticated,
        ForbiddenError: _forbidden,
        DeadLetterNotFoundError: _not_found,
        UnavailableError: _unavailable,
        RecursionError: _too_deep,
        Exception: _unexpected,
    }


def _answer(
    status: int,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[dict[str, Any]]:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[FieldProblem(field=e.field, message=e.message) for e in errors or []],
    )
    return Response(
        problem.model_dump(),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if error.status_code >= 500:
        return _unexpected(request, error)
    headers = dict(error.headers or {})
    if error.status_code == 429:
        headers["Retry-After"] = headers.get("RateLimit-Reset", _RETRY_AFTER)
    return _answer(
        error.status_code, error.detail or HTTPStatus(error.status_code).phrase, headers=headers
    )


def _validation(_: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    found = _items(error)
    errors = parameter_errors(error)
    # A body that can be read and does not fit is 422; a query or path that does not is 400.
    in_the_body = all(item.get("source", "body") == "body" for item in found)
    return _answer(422 if in_the_body else 400, "the request does not fit", errors)


def parameter_errors(error: ValidationException) -> list[FieldError]:
    """What Litestar finds wrong with a request, parameter by parameter."""
    return [_field_error(item) for item in _items(error)]


def _items(error: ValidationException) -> list[dict[str, Any]]:
    return [item for item in error.extra or [] if isinstance(item, dict)]


def _field_error(item: Mapping[str, Any]) -> FieldError:
    key = str(item.get("key") or "body")
    if key == "data":  # Litestar's name for a body that is not there
        return FieldError("body", "is missing")
    return FieldError(key, str(item.get("message", "is wrong")))


def _bad_request(_: Request[Any, Any, Any], error: BadRequestError) -> Response[Any]:
    return _answer(400, str(error), error.errors)


def unfit_query(_: Request[Any, Any, Any], error: UnfitQueryError) -> Response[Any]:
    """A problem that names each parameter at fault."""
    return _answer(422, str(error), error.errors)


def _unknown_job(_: Request[Any, Any, Any], error: UnknownJobError) -> Response[Any]:
    return _answer(422, str(error), [FieldError("job_name", str(error))])


def _arguments(_: Request[Any, Any, Any], error: ArgumentError) -> Response[Any]:
    errors = [FieldError(f"args.{e.field}", e.message) for e in error.errors]
    return _answer(422, str(error), errors)


def _not_found(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return _answer(404, str(error))


def _unfit(_: Request[Any, Any, Any], error: InvalidDocumentError | LinkError) -> Response[Any]:
    return _answer(422, str(error), list(error.errors))


def _duplicate(_: Request[Any, Any, Any], error: DuplicateError) -> Response[Any]:
    taken = [FieldError(field, "another document has the same") for field in error.fields]
    return _answer(409, str(error), taken)


def _stale(_: Request[Any, Any, Any], error: ConflictError) -> Response[Any]:
    return _answer(412, str(error))


def _in_the_way(_: Request[Any, Any, Any], error: FrameworkMError) -> Response[Any]:
    return _answer(409, str(error))


def _no_query(_: Request[Any, Any, Any], error: FilterError | CursorError) -> Response[Any]:
    return _answer(400, str(error), list(error.errors))


def _reused_key(_: Request[Any, Any, Any], error: ReusedKeyError) -> Response[Any]:
    return _answer(422, str(error), [FieldError("Idempotency-Key", str(error))])


def _not_authenticated(_: Request[Any, Any, Any], __: NotAuthenticatedError) -> Response[Any]:
    return _answer(401, "a valid token is needed", headers={"WWW-Authenticate": "Bearer"})


def _forbidden(_: Request[Any, Any, Any], error: ForbiddenError) -> Response[Any]:
    return _answer(403, str(error))


def _unavailable(_: Request[Any, Any, Any], error: UnavailableError) -> Response[Any]:
    return _answer(503, str(error), headers={"Retry-After": _RETRY_AFTER})


def _too_deep(_: Request[Any, Any, Any], __: RecursionError) -> Response[Any]:
    return _answer(400, "the JSON is nested too deep")


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(500, "something went wrong here; the log of this server says what")
