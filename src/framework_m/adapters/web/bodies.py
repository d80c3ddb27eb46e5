"""Bodies of requests that are read by hand: any JSON object, of a sane depth."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import SerializationException
from litestar.serialization import decode_json

from framework_m.adapters.web.errors import BadRequestError
from framework_m.core.errors import FieldError, InvalidDocumentError

DEEPEST = 64


async def json_object(request: Request[Any, Any, Any], doctype: str) -> dict[str, Any]:
    """The body. Raises BadRequestError (no JSON, too deep), InvalidDocumentError (no object)."""
    content = await request.body()
    if not content:
        raise InvalidDocumentError(doctype, None, [FieldError("body", "is missing")])
    value = decoded(content, "body")
    if not isinstance(value, dict):
        raise InvalidDocumentError(doctype, None, [FieldError("body", "must be an object")])
    return value


def decoded(content: bytes, what: str) -> Any:
    """JSON as its value. Raises BadRequestError."""
    try:
        value = decode_json(content)
    except RecursionError:
        raise BadRequestError(what, f"is nested deeper than {DEEPEST}") from None
    except (SerializationException, UnicodeDecodeError) as error:
        raise BadRequestError(what, "is no JSON") from error
    if is_deep(value):
        raise BadRequestError(what, f"is nested deeper than {DEEPEST}")
    return value


def is_deep(value: Any) -> bool:
    """Whether it is nested deeper than any document has to be."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
