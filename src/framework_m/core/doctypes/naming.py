"""Naming rules: where a new document's name comes from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from framework_m.core.doctypes.base import NAME_LENGTH
from framework_m.core.errors import DocTypeError, FieldError, InvalidDocumentError
from framework_m.core.ids import uuid7

if TYPE_CHECKING:
    from datetime import datetime

    from framework_m.core.doctypes.base import DocType


@dataclass(frozen=True, slots=True)
class Given:
    """The caller names it: `naming = "given"` (or `"prompt"`)."""


@dataclass(frozen=True, slots=True)
class Uuid7:
    """A UUIDv7, if the caller gives no name: the default."""


@dataclass(frozen=True, slots=True)
class FromField:
    """The value of a field: `naming = "field:number"`. It cannot change afterwards."""

    field: str


@dataclass(frozen=True, slots=True)
class FromFunction:
    """What a function of the document returns: `naming = staticmethod(slug_of)`."""

    function: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Series:
    """Consecutive numbers: `naming = "INV-.YYYY.-.#####"`, if the caller gives no name.

    Parts are divided by dots: `YYYY`, `YY`, `MM`, `DD` (of the UTC date), `{field}`, one run of
    `#` for the number, and literal text. Each prefix counts from 1. No number is skipped: the
    counter is part of the transaction, so transactions that take one from the same prefix wait
    for each other.
    """

    parts: tuple[str, ...]

    def template(self, document: DocType, now: datetime) -> str:
        """The name with `#####` still in it: what the counter is kept under."""
        return "".join(_expanded(part, document, now) for part in self.parts)


NamingRule: TypeAlias = Given | Uuid7 | FromField | FromFunction | Series

_COUNTER = re.compile(r"#+")
_DATES = {"YYYY": "{0:%Y}", "YY": "{0:%y}", "MM": "{0:%m}", "DD": "{0:%d}"}


def parse(doctype: str, rule: object) -> NamingRule:
    """A rule as `Meta.naming` spells it. Raises DocTypeError."""
    match rule:
        case Given() | Uuid7() | FromField() | FromFunction() | Series():
            return rule
        case "given" | "prompt":
            return Given()
        case "uuid7" | "":
            return Uuid7()
        case str() if rule.startswith("field:"):
            return FromField(rule.removeprefix("field:").strip())
        case str() if "#" in rule:
            return _series(doctype, rule)
        case _ if callable(rule):
            return FromFunction(rule)
    raise DocTypeError(
        doctype,
        f"Meta.naming {rule!r} is no naming rule: write given, uuid7, field:NAME, a series such "
        f"as INV-.YYYY.-.#####, or a function",
    )


def _series(doctype: str, pattern: str) -> Series:
    parts = tuple(part for part in pattern.split(".") if part)
    counters = [part for part in parts if "#" in part]
    if len(counters) != 1 or not _COUNTER.fullmatch(counters[0]):
        raise DocTypeError(
            doctype, f"the series {pattern!r} needs one part of # only, divided off by dots"
        )
    return Series(parts)


def name_from(rule: NamingRule, document: DocType) -> str | None:
    """The new document's name; None where a series has to count first.

    Raises InvalidDocumentError.
    """
    name: object = document.name
    match rule:
        case FromField(field):
            name = _text(getattr(document, field))
            if document.name not in ("", name):
                raise _wrong(document, f"is the value of {field}, {name!r}: leave it out")
        case _ if document.name:
            pass
        case Series():
            return None
        case Uuid7():
            return uuid7()
        case Given():
            raise _wrong(document, "is missing: documents of this type are named by the caller")
        case FromFunction(function):
            name = function(document)
    return checked_name(document, name)


def numbered(template: str, number: int) -> str:
    """`INV-2026-#####`, 7 → `INV-2026-00007`. Larger numbers grow longer."""
    return _COUNTER.sub(lambda found: str(number).zfill(len(found[0])), template, count=1)


def checked_name(document: DocType, name: object) -> str:
    """Raises InvalidDocumentError unless it can be a name."""
    if not isinstance(name, str) or not name.strip():
        raise _wrong(document, "cannot be empty")
    if len(name) > NAME_LENGTH:
        raise _wrong(document, f"cannot be longer than {NAME_LENGTH} characters")
    if name != name.strip() or not name.isprintable():
        raise _wrong(document, "cannot begin or end with a space, or hold control characters")
    return name


def _expanded(part: str, document: DocType, now: datetime) -> str:
    if part in _DATES:
        return f"{now.year:04d}" if part == "YYYY" else _DATES[part].format(now)
    if part.startswith("{") and part.endswith("}"):
        # A # in the value would be taken for the counter's.
        return _text(getattr(document, part[1:-1])).replace("#", "")
    return part


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _wrong(document: DocType, reason: str) -> InvalidDocumentError:
    return InvalidDocumentError(
        type(document).__name__, document.name, [FieldError("name", reason)]
    )


def fields_of(rule: NamingRule) -> tuple[str, ...]:
    """The fields that the rule reads."""
    match rule:
        case FromField(field):
            return (field,)
        case Series(parts):
            return tuple(part[1:-1] for part in parts if part.startswith("{"))
    return ()
