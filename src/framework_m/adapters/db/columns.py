"""How the values of each field type are kept: from a pydantic field to a column."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from uuid import UUID

import pydantic
from pydantic import ConfigDict, SecretStr, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from sqlalchemy import BigInteger, Boolean, Date, Double, LargeBinary, String, Text, Uuid

from framework_m.adapters.db import values
from framework_m.adapters.db.types import ClockTime, ExactDecimal, UtcDateTime
from framework_m.core.doctypes.base import NAME_LENGTH

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from framework_m.adapters.db.annotations import Declared
    from framework_m.adapters.db.secrets import Cipher


@dataclass(frozen=True, slots=True)
class Kind:
    """How one field's values are kept."""

    type: TypeEngine[Any]
    store: Callable[[Any], Any] = values.same
    """The value for the column; ValueError says why there is none."""
    load: Callable[[Any], Any] | None = None
    """The stored value as the field's own type; None where it is that already."""
    operand: Callable[[Any], Any] | None = None
    """What a field is compared with, for the column; None where comparing means nothing."""
    is_ordered: bool = True
    """Whether less and more mean something."""
    is_text: bool = False
    """Whether patterns do."""
    is_secret: bool = False


# pydantic's own types whose values are plain ones.
_PLAIN = {
    pydantic.AwareDatetime: datetime,
    pydantic.PastDatetime: datetime,
    pydantic.FutureDatetime: datetime,
    pydantic.PastDate: date,
    pydantic.FutureDate: date,
}


def kind_of(declared: Declared, cipher: Cipher) -> Kind:
    """Decide how a field is kept. Raises pydantic's errors for types that it does not know."""
    base = _PLAIN.get(declared.base, declared.base) if _hashable(declared.base) else declared.base
    if declared.link is not None:
        return _text(NAME_LENGTH)
    if get_origin(base) is Literal:
        return _choice({value: value for value in get_args(base)}, base) or _json(declared)
    if not isinstance(base, type):
        return _by_schema(declared)
    if issubclass(base, SecretStr):
        return _secret(base, cipher)
    if issubclass(base, Enum):
        return _choice({member.value: member for member in base}, base) or _json(declared)
    return _simple(base, declared) or _by_schema(declared)


def _simple(base: type, declared: Declared) -> Kind | None:
    if base is str:
        return _text(declared.constraint("max_length"))
    if base is Decimal:
        digits, places = declared.constraint("max_digits"), declared.constraint("decimal_places")
        return _decimal(digits, places)
    if base is bytes:
        return Kind(LargeBinary(), is_ordered=False)
    plain: dict[type, tuple[TypeEngine[Any], Callable[[Any], Any]]] = {
        bool: (Boolean(), values.same),
        int: (BigInteger(), values.integer),
        float: (Double(), values.number),
        date: (Date(), values.same),
        datetime: (UtcDateTime(), values.moment),
        time: (ClockTime(), values.clock_time),
        UUID: (Uuid(), values.same),
    }
    if base not in plain:
        return None
    column, store = plain[base]
    load = values.uuid if base is UUID else None
    return Kind(column, store, load, operand=_checked(base, store))


def _text(length: int | None) -> Kind:
    column = String(length) if length else Text()
    return Kind(column, values.text, operand=_checked(str, values.text), is_text=True)


def _decimal(precision: int | None, scale: int | None) -> Kind:
    # Where only one of the two is known, the column is unbounded and the values are checked.
    column = ExactDecimal(precision, scale) if precision and scale is not None else ExactDecimal()
    store = functools.partial(values.exact, precision=precision, scale=scale)
    return Kind(column, store, operand=_checked(Decimal, values.exact))


def _secret(base: type[SecretStr], cipher: Cipher) -> Kind:
    return Kind(
        Text(),
        store=lambda secret: cipher.encrypt(secret.get_secret_value()),
        load=lambda token: base(cipher.decrypt(token)),
        is_ordered=False,
        is_secret=True,
    )


def _choice(members: dict[Any, Any], base: Any) -> Kind | None:
    """A choice among texts, or among integers; None among others.

    The database is not told which: a new choice needs no migration.
    """
    column: TypeEngine[Any]
    check: Callable[[Any], Any]
    if all(type(value) is int for value in members):
        column, check = BigInteger(), values.integer
    elif all(isinstance(value, str) for value in members):
        column, check = Text(), values.text
    else:
        return None
    stored = {member: check(value) for value, member in members.items()}
    loaded = {stored[member]: member for member in members.values()}
    return Kind(
        column,
        store=stored.__getitem__,
        load=loaded.__getitem__,
        operand=_checked(base, stored.__getitem__),
    )


def _by_schema(declared: Declared) -> Kind:
    """Types whose JSON is a text are kept as that text, others as JSON."""
    try:
        schema = TypeAdapter(declared.base).json_schema(mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        schema = {}
    if schema.get("type") != "string":
        return _json(declared)
    adapter: TypeAdapter[Any] = TypeAdapter(declared.base)

    def store(value: Any) -> str:
        return values.text(adapter.dump_python(value, mode="json"))

    operand = _checked(declared.base, store)
    return Kind(Text(), store, adapter.validate_python, operand, is_ordered=False)


def _json(declared: Declared) -> Kind:
    """JSON text: both databases keep it as it is, NUL characters and exact numbers included."""
    adapter = _json_adapter(declared.whole)

    def store(value: Any) -> str:
        try:
            text = adapter.dump_json(value, warnings="none").decode()
        except RecursionError:
            raise ValueError("is nested too deep for JSON") from None
        if "NaN" in text or "Infinity" in text:
            _require_finite(text)
        return text

    return Kind(Text(), store, adapter.validate_json, is_ordered=False)


def _json_adapter(annotation: Any) -> TypeAdapter[Any]:
    config = ConfigDict(
        ser_json_inf_nan="constants", ser_json_bytes="base64", val_json_bytes="base64"
    )
    try:
        return TypeAdapter(annotation, config=config)
    except PydanticUserError:  # a model brings its own
        return TypeAdapter(annotation)


def _require_finite(text: str) -> None:
    import json  # noqa: PLC0415 - hardly ever wanted

    def refuse(constant: str) -> None:
        raise ValueError(f"holds {constant}, which JSON does not have")

    json.loads(text, parse_constant=refuse)


def _checked(expected: Any, store: Callable[[Any], Any]) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(expected)

    def operand(value: Any) -> Any:
        return store(adapter.validate_python(value))

    return operand


def _hashable(annotation: Any) -> bool:
    return getattr(annotation, "__hash__", None) is not None
