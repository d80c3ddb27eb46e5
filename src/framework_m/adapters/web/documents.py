"""What is added to an application's OpenAPI document: DocTypes, as pydantic describes them.

Litestar reads schemas from annotations of handlers, and has its own idea of some types. What
documents look like as JSON is pydantic's to say, because pydantic writes and reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    SecurityScheme,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from litestar.openapi import OpenAPIConfig

    from framework_m.core.doctypes.representation import Representation

_SUFFIXES = {"read": "", "create": "Create", "patch": "Patch"}
_SAID = {200: "Done.", 201: "Created.", 204: "Done.", 304: "You have this version already."}


def documented(
    answers: Mapping[int, str | None],
    body: str | None = None,
    media_type: str = "application/json",
) -> type[Operation]:
    """An operation that takes and gives these schemas."""

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            if body is not None:
                types = dict.fromkeys((media_type, "application/json"), _named(body))
                self.request_body = RequestBody(content=types, required=True)
            self.responses = {
                **(self.responses or {}),
                **{str(status): _answer(status, name) for status, name in answers.items()},
            }

    return Documented


def describe(config: OpenAPIConfig, representations: Iterable[Representation[Any]]) -> None:
    """Tell what documents look like, and what the security requirements of our routes mean."""
    given = config.components if isinstance(config.components, list) else [config.components]
    known: dict[str, dict[str, Any]] = {}
    for components in (*given, Components(security_schemes=_security())):
        for field in fields(Components):
            known.setdefault(field.name, {}).update(getattr(components, field.name) or {})
    found = {name: it for name, it in known.items() if it}
    config.components = _WithSchemas(**found)
    config.components.ours = {
        name: schema for it in representations for name, schema in _schemas(it).items()
    }


class _WithSchemas(Components):
    """Litestar replaces the schemas with those that it found in handlers: ours join them."""

    ours: dict[str, Any]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "schemas" and value is not None:
            value = {**value, **self.__dict__.get("ours", {})}
        super().__setattr__(name, value)


def _schemas(representation: Representation[Any]) -> dict[str, Any]:
    name = representation.name
    found: dict[str, Any] = {}
    for purpose, suffix in _SUFFIXES.items():
        inner = f"{name}{suffix}."
        schema = representation.schema(purpose, f"#/components/schemas/{inner}{{model}}")
        found |= {f"{inner}{model}": it for model, it in schema.pop("$defs", {}).items()}
        found[f"{name}{suffix}"] = schema
    row = {key: value for key, value in found[name].items() if key != "required"}
    found[f"{name}Page"] = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": row},
            "next_cursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["items", "next_cursor"],
    }
    return found


def _answer(status: int, name: str | None) -> OpenAPIResponse:
    content = None if name is None else {"application/json": _named(name)}
    return OpenAPIResponse(description=_SAID[status], content=content)


def _named(name: str) -> OpenAPIMediaType:
    return OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{name}"))


def _security() -> dict[str, Any]:
    return {
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
