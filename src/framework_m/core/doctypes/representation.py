"""Documents as the outside sees them: what is shown, what may be given, and what is refused."""

from __future__ import annotations

import contextlib
import copy
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args

from pydantic import SecretStr, ValidationError

from framework_m.core.doctypes.base import BASE_FIELDS, DocType
from framework_m.core.doctypes.naming import FromField, Given
from framework_m.core.errors import ConflictError, FieldError, InvalidDocumentError
from framework_m.core.merge_patch import merge_patch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

    from framework_m.core.doctypes.meta import DocTypeMeta

D = TypeVar("D", bound=DocType)

_KEPT = BASE_FIELDS - {"name"}
"""The repository's own: they may be sent back as they were read, and never changed."""


class Representation(Generic[D]):
    """One DocType as JSON. Secrets go in, and never come out.

    filled: its fields that are marked readOnly, beside those of every DocType. Something else than
        callers fills them, also between two versions: what callers send there does not count.
    """

    def __init__(self, doctype: type[D], meta: DocTypeMeta) -> None:
        self.doctype = doctype
        self.meta = meta
        fields = doctype.model_fields
        self.secrets = frozenset(name for name in fields if _is_secret(fields[name].annotation))
        self.shown_fields = tuple(name for name in fields if name not in self.secrets)
        self.filled = frozenset(name for name in fields if _is_read_only(fields[name]))
        self.filled -= BASE_FIELDS
        self._given = tuple(n for n in fields if n not in BASE_FIELDS and n not in self.filled)
        self._ignored = _KEPT | self.filled
        self._named_by_callers = isinstance(meta.naming, Given | FromField)

    @property
    def name(self) -> str:
        return self.doctype.__name__

    def shown(self, document: D, fields: set[str] | None = None) -> dict[str, Any]:
        """The document, or these fields of it."""
        return document.model_dump(mode="json", include=fields, exclude=set(self.secrets))

    def created(self, body: Mapping[str, Any]) -> D:
        """A new document. Raises InvalidDocumentError with every field at fault."""
        errors = [
            FieldError(name, "is kept by the server: leave it out")
            for name in _KEPT & body.keys()
            if body[name] != self.doctype.model_fields[name].default
        ]
        if body.get("name") and not self._named_by_callers:
            errors.append(FieldError("name", "is made by the server: leave it out"))
        return self._validated(None, _without(body, self._ignored), errors)

    def replace(self, document: D, body: Mapping[str, Any]) -> None:
        """Let the document hold what the body says, and defaults where it says nothing.

        Secrets that are left out stay. Raises InvalidDocumentError, and ConflictError if the body
        is of another version.
        """
        shown = self.shown(document)
        self._require_same_version(document, body)
        kept = {name: shown[name] for name in (*_KEPT, "name")}
        errors = [
            FieldError(name, "cannot be changed by the caller")
            for name in kept.keys() & body.keys()
            if body[name] != kept[name]
        ]
        said = _without(body, self._ignored)
        values = {**self._kept_secrets(document), **said, "name": document.name}
        new = self._validated(document.name, values, errors)
        document.__dict__.update({name: new.__dict__[name] for name in self._given})

    def patch(self, document: D, changes: Mapping[str, Any]) -> None:
        """JSON Merge Patch: what null removes is as if it had never been given. As `replace`."""
        given = set(self._given) - self.secrets
        current = document.model_dump(mode="json", include=given)
        untouched = {*self.secrets, *BASE_FIELDS, *self.filled}
        merged = merge_patch(current, _without(changes, untouched))
        as_said = {name: changes[name] for name in untouched & changes.keys()}
        self.replace(document, {**merged, **as_said})

    def sound_part(self, body: Mapping[str, Any], document: D | None = None) -> D:
        """Of what is refused, that of which each field by itself is sound: to look at, not to save.

        On top of a document, if it is there already. Fields that are needed may be missing.
        """
        empty = cast("D", self.doctype.model_construct())
        part = empty if document is None else document.model_copy()
        for name in self._given:
            if name in body:
                with contextlib.suppress(ValidationError):
                    setattr(part, name, body[name])
        return part

    def _require_same_version(self, document: D, body: Mapping[str, Any]) -> None:
        version = body.get("version")
        if isinstance(version, int) and version != document.version:
            raise ConflictError(self.name, document.name, version, document.version)

    def _kept_secrets(self, document: D) -> dict[str, str]:
        held = {name: getattr(document, name) for name in self.secrets}
        return {name: it.get_secret_value() for name, it in held.items() if it is not None}

    def _validated(self, name: str | None, values: Any, errors: list[FieldError]) -> D:
        try:
            # As JSON, in which bytes and dates are texts.
            found = self.doctype.model_validate_json(json.dumps(values))
        except ValidationError as error:
            raise InvalidDocumentError(self.name, name, [*errors, *field_errors(error)]) from None
        if errors:
            raise InvalidDocumentError(self.name, name, errors)
        return found

    @cached_property
    def read_schema(self) -> dict[str, Any]:
        """JSON Schema of what is shown."""
        return self.schema("read", "#/$defs/{model}")

    def schema(self, purpose: str, ref_template: str) -> dict[str, Any]:
        """JSON Schema of what is shown (`read`), created (`create`), or patched (`patch`)."""
        mode: Any = "serialization" if purpose == "read" else "validation"
        schema = copy.deepcopy(self.doctype.model_json_schema(mode=mode, ref_template=ref_template))
        if purpose == "read":
            return _narrowed(schema, without=self.secrets)
        hidden = self._ignored if self._named_by_callers else {*self._ignored, "name"}
        schema = _narrowed(schema, without=hidden)
        if purpose == "patch":
            schema.pop("required", None)
            properties = schema["properties"]
            for name, said in properties.items():
                properties[name] = {"anyOf": [said, {"type": "null"}]}
        return schema


def field_errors(error: ValidationError) -> list[FieldError]:
    """What pydantic found, field by field, without the values: they may be secrets."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldError(
            ".".join(map(str, item["loc"])) or "*", item["msg"].removeprefix("Value error, ")
        )
        for item in found
    ]


def _narrowed(schema: dict[str, Any], *, without: Any) -> dict[str, Any]:
    properties = schema.get("properties", {})
    schema["properties"] = {name: it for name, it in properties.items() if name not in without}
    required = [name for name in schema.get("required", []) if name not in without]
    return {**schema, "required": required} if required else _without(schema, {"required"})


def _without(values: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _is_read_only(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    marked = isinstance(extra, dict) and extra.get("readOnly") is True
    return marked and not field.is_required()  # else nobody could create one


def _is_secret(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, SecretStr)
    return any(_is_secret(argument) for argument in get_args(annotation))
