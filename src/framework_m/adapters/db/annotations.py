"""A field's annotation, taken apart."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Annotated, Any, NewType, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from framework_m.core.doctypes.fields import LinkTo


@dataclass(frozen=True, slots=True)
class Declared:
    """What a field was declared as."""

    base: Any
    """The type itself: no None, no constraints."""
    optional: bool
    metadata: tuple[Any, ...]
    whole: Any
    """Type, None and constraints together, for pydantic."""

    def constraint(self, name: str) -> Any:
        """The tightest bound is the last one given; None if there is none."""
        found = [getattr(item, name, None) for item in self.metadata]
        return next((value for value in reversed(found) if value is not None), None)

    @property
    def link(self) -> LinkTo | None:
        return next((item for item in self.metadata if isinstance(item, LinkTo)), None)


def declared(field: FieldInfo) -> Declared:
    annotation, metadata = field.annotation, tuple(field.metadata)
    whole = Annotated[(annotation, *metadata)] if metadata else annotation
    base, optional, inner = _unwrapped(annotation)
    return Declared(base, optional, (*inner, *metadata), whole)


def _unwrapped(annotation: Any) -> tuple[Any, bool, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        base, optional, metadata = _unwrapped(inner)
        return base, optional, (*metadata, *_flat(extra))
    if hasattr(annotation, "__value__"):  # `type Name = …`
        return _unwrapped(annotation.__value__)
    if isinstance(annotation, NewType):
        return _unwrapped(annotation.__supertype__)
    if get_origin(annotation) in (Union, types.UnionType):
        others = [item for item in get_args(annotation) if item is not type(None)]
        optional = len(others) < len(get_args(annotation))
        if len(others) == 1:
            base, _, metadata = _unwrapped(others[0])
            return base, True, metadata
        return annotation, optional, ()
    return annotation, annotation in (Any, None, type(None)), ()


def _flat(metadata: list[Any]) -> tuple[Any, ...]:
    flat: list[Any] = []
    for item in metadata:
        flat += [*item.metadata] if isinstance(item, FieldInfo) else [item]
    return tuple(flat)
