"""The types of a job's parameters, as a command line sees them."""

from __future__ import annotations

import types
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNIONS = (Union, types.UnionType)
_MOST_CHOICES = 20


def shown_type(hint: Any) -> str:
    """`int`, `list[str]`, `date | None`; of an Enum or Literal its values."""
    hint = _bare(hint)
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return "anything"
    if hint is types.NoneType:
        return "None"
    if origin in _UNIONS:
        return " | ".join(map(shown_type, args))
    if choices := _choices(hint):
        return " | ".join(choices)
    if origin is not None:
        inner = ", ".join("…" if arg is ... else shown_type(arg) for arg in args)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return str(getattr(hint, "__name__", hint))


def is_flag(hint: Any) -> bool:
    """Whether it is a bool, so that `--name` alone says yes and `--no-name` no."""
    return list(_members(hint)) == [bool]


def fits_all(hint: Any) -> bool:
    """Whether any value fits, so that its type says nothing of what a text means."""
    return any(member in (Any, object) for member in _members(hint))


def takes_many(hint: Any) -> bool:
    """Whether its option may be repeated: a list, a set, a tuple and their like."""
    return any(_is_many(get_origin(member) or member) for member in _members(hint))


def _is_many(kind: Any) -> bool:
    no_collections = (str, bytes, dict, Enum)
    if not isinstance(kind, type) or issubclass(kind, no_collections):
        return False
    # By name: a pydantic model is iterable, too, and no collection.
    return issubclass(kind, (list, set, frozenset, tuple)) or (
        issubclass(kind, Iterable) and kind.__module__ == "collections.abc" and not _is_map(kind)
    )


def _is_map(kind: type) -> bool:
    return issubclass(dict, kind) and hasattr(kind, "keys")


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(_value(choice)) for choice in get_args(hint)]
    if isinstance(hint, type) and issubclass(hint, Enum) and len(hint) <= _MOST_CHOICES:
        return [str(member.value) for member in hint]
    return []


def _value(choice: object) -> object:
    return choice.value if isinstance(choice, Enum) else choice


def _members(hint: Any) -> Iterator[Any]:
    """What a union is made of, other than None; of anything else, itself."""
    hint = _bare(hint)
    if get_origin(hint) in _UNIONS:
        for arg in get_args(hint):
            yield from _members(arg)
    elif hint is not types.NoneType:
        yield hint


def _bare(hint: Any) -> Any:
    """Without Annotated, NewType and the names of aliases."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif hasattr(hint, "__value__") and not isinstance(hint, type):
            hint = hint.__value__
        else:
            return hint
