"""Arguments: checked against the function's types at enqueue, parsed back in the worker.

JSON only, through pydantic, so that Decimal, datetime, UUID, Enum, dataclasses and models come
back as what they were (invariant 10).
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from framework_m.core.errors import ArgumentError, ConfigurationError, FieldError, ResultError
from framework_m.core.jobs.context import JobContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CONFIG = ConfigDict(
    extra="forbid",
    # NaN and infinity have no JSON form, and arbitrary bytes no text form: give them one that
    # reads back.
    ser_json_inf_nan="strings",
    ser_json_bytes="base64",
    val_json_bytes="base64",
)
_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Arguments:
    """The parameters of one job function, less its context."""

    def __init__(self, job_name: str, function: Callable[..., Any]) -> None:
        self._job_name = job_name
        self._signature = inspect.signature(function)
        hints = _type_hints(job_name, function)
        self.context_parameter = _context_parameter(self._signature, hints)
        self.names = tuple(
            name
            for name, parameter in self._signature.parameters.items()
            if name != self.context_parameter and not _is_injected(parameter, hints.get(name))
        )
        self.has_dependencies = len(self.names) + (self.context_parameter is not None) < len(
            self._signature.parameters
        )
        self._hints = hints
        self._defaults: dict[str, Any] = {}
        self._shape = self._build_shape(hints)
        self._result = _result_adapter(hints.get("return", Any))

    def hint(self, name: str) -> Any:
        """How a parameter is annotated; Any if it is not."""
        return self._hints.get(name, Any)

    def default(self, name: str) -> Any:
        """What the function takes if it is not given; `inspect.Parameter.empty`: it has to be."""
        return self._signature.parameters[name].default

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Positional arguments by name, as the function itself would take them."""
        if len(args) > len(self.names):
            most, given = len(self.names), len(args)
            problem = FieldError("*args", f"takes {most} arguments, {given} were given")
            raise ArgumentError(self._job_name, [problem])
        bound = dict(zip(self.names, args, strict=False))
        twice = [FieldError(name, "given twice") for name in bound.keys() & kwargs.keys()]
        if twice:
            raise ArgumentError(self._job_name, twice)
        return {**bound, **kwargs}

    def dump(self, values: Mapping[str, Any]) -> str:
        """Check the values and write them as JSON. Raises ArgumentError."""
        try:
            checked = self._shape.model_validate(dict(values))
        except ValidationError as error:
            raise self._misfit(error) from error
        try:
            text = checked.model_dump_json(by_alias=True, exclude_unset=True)
            # A nested model may write what it does not read (NaN as null): better known now.
            self._shape.model_validate_json(text)
        except ValidationError as error:
            raise self._misfit(error) from error
        except PydanticSerializationError as error:
            raise ArgumentError(self._job_name, self._unwritable(checked)) from error
        return text

    def load(self, text: str) -> dict[str, Any]:
        """The values, in the function's own types. Raises ArgumentError."""
        try:
            shape = self._shape.model_validate_json(text)
        except ValidationError as error:
            raise self._misfit(error) from error
        return {
            self.names[int(field[1:])]: getattr(shape, field) for field in shape.model_fields_set
        }

    def chosen(self, text: str, names: Sequence[str]) -> dict[str, Any]:
        """Of a call's JSON text the values of these arguments, as JSON has them.

        The function's defaults for those that the call leaves out. Calls that mean the same give
        the same: a default counts as if it were given, in models too, and sets are in order.
        """
        shape = self._shape.model_validate_json(text)
        given = {self.names[int(field[1:])]: field for field in shape.model_fields_set}
        return {
            name: _canonical(shape, given[name]) if name in given else self._default(name)
            for name in names
        }

    def dump_result(self, value: Any) -> str | None:
        """What the function returned, as JSON text. Raises ResultError."""
        try:
            return self._result.dump_json(value, warnings=False).decode()
        except (PydanticSerializationError, UnicodeError, ValueError, RecursionError) as error:
            raise ResultError(self._job_name, str(error)) from error

    def load_result(self, value: Any) -> Any:
        """A stored result in the function's return type; as stored where it no longer fits."""
        try:
            return self._result.validate_python(value)
        except ValidationError:
            return value

    def _build_shape(self, hints: Mapping[str, Any]) -> type[BaseModel]:
        # Fields are numbered and parameters their aliases: a parameter may have any name, also
        # one that a model's field may not.
        fields: dict[str, Any] = {
            f"p{number}": (hints.get(name, Any), self._field(name))
            for number, name in enumerate(self.names)
        }
        try:
            return create_model("Arguments", __config__=_CONFIG, **fields)
        except PydanticUserError as error:
            raise ConfigurationError(
                f"job {self._job_name!r} has a parameter that JSON cannot hold: {error}"
            ) from error

    def _field(self, name: str) -> Any:
        parameter = self._signature.parameters[name]
        if parameter.kind not in _BY_KEYWORD:
            raise ConfigurationError(
                f"job {self._job_name!r}: parameter {parameter} cannot be stored by name; "
                f"write its arguments out"
            )
        if parameter.default is inspect.Parameter.empty:
            return Field(alias=name)
        # The default stays with the function, so that a new deploy may change it.
        return Field(None, alias=name)

    def _default(self, name: str) -> Any:
        if name not in self._defaults:
            self._defaults[name] = self._canonical_default(name)
        return self._defaults[name]

    def _canonical_default(self, name: str) -> Any:
        default = self._signature.parameters[name].default
        hint: Any = (self._hints.get(name, Any), ...)
        alone = create_model("Default", __config__=_CONFIG, value=hint)
        try:
            return _canonical(alone.model_validate({"value": default}), "value")
        except ValidationError:  # it is not of the parameter's type: None for a text
            return to_jsonable_python(default, bytes_mode="base64", inf_nan_mode="strings")

    def _unwritable(self, checked: BaseModel) -> list[FieldError]:
        problems = []
        for number, name in enumerate(self.names):
            try:
                checked.model_dump_json(include={f"p{number}"})
            except PydanticSerializationError as error:
                problems.append(FieldError(name, f"cannot be written as JSON: {error}"))
        return problems

    def _misfit(self, error: ValidationError) -> ArgumentError:
        problems = [
            FieldError(".".join(str(part) for part in found["loc"]) or "*", _words(found))
            for found in error.errors(include_url=False, include_context=False)
        ]
        return ArgumentError(self._job_name, problems)


def _canonical(shape: BaseModel, field: str) -> Any:
    """A field's value as JSON, the same for equal values."""
    asked: Any = {"include": {field}, "by_alias": False, "warnings": False}
    values = shape.model_dump(mode="python", **asked)
    return _in_order(values[field], shape.model_dump(mode="json", **asked)[field])


def _in_order(value: Any, written: Any) -> Any:
    """What was written of a value; the members of its sets, which have no order, sorted."""
    match value, written:
        case dict(), dict() if len(value) == len(written):
            pairs = zip(value.values(), written.items(), strict=True)
            return {name: _in_order(inner, it) for inner, (name, it) in pairs}
        case ((list() | tuple() | set() | frozenset()), list()) if len(value) == len(written):
            items = [_in_order(inner, it) for inner, it in zip(value, written, strict=True)]
            if isinstance(value, (set, frozenset)):
                items.sort(key=lambda item: json.dumps(item, sort_keys=True))
            return items
    return written


def _words(found: Any) -> str:
    match found["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not an argument of this job"
    return str(found["msg"])


def _type_hints(job_name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"job {job_name!r}: an annotation cannot be resolved ({error}); import the name at "
            f"run time, not under TYPE_CHECKING"
        ) from error


def _context_parameter(signature: inspect.Signature, hints: Mapping[str, Any]) -> str | None:
    """The first parameter, if it is annotated as a JobContext."""
    first = next(iter(signature.parameters), None)
    return first if first is not None and hints.get(first) is JobContext else None


def _is_injected(parameter: inspect.Parameter, hint: Any) -> bool:
    """Whether the engine fills it: its default or annotation holds one of taskiq's dependencies.

    Known by where its class is from: the core imports no vendor.
    """
    marks = (parameter.default, *getattr(hint, "__metadata__", ()))
    return any(type(mark).__module__.partition(".")[0] == "taskiq_dependencies" for mark in marks)


def _result_adapter(hint: Any) -> TypeAdapter[Any]:
    config = ConfigDict(ser_json_inf_nan="strings", ser_json_bytes="base64")
    try:
        return TypeAdapter(hint, config=config)
    except PydanticUserError:
        # A model brings its own configuration; others (a class pydantic does not know) are
        # judged by the value they return.
        pass
    try:
        return TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return TypeAdapter(Any, config=config)
