"""Arguments: checked against the function's types at enqueue, parsed back in the worker.

JSON only, through pydantic, so that Decimal, datetime, UUID, Enum, dataclasses and models come
back as what they were (invariant 10).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import PydanticSerializationError

from framework_m.core.errors import ArgumentError, ConfigurationError, FieldError, ResultError
from framework_m.core.jobs.context import JobContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        self._names = tuple(
            name
            for name, parameter in self._signature.parameters.items()
            if name != self.context_parameter and not _is_injected(parameter, hints.get(name))
        )
        self.has_dependencies = len(self._names) + (self.context_parameter is not None) < len(
            self._signature.parameters
        )
        self._shape = self._build_shape(hints)
        self._result = _result_adapter(hints.get("return", Any))

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Positional arguments by name, as the function itself would take them."""
        if len(args) > len(self._names):
            most, given = len(self._names), len(args)
            problem = FieldError("*args", f"takes {most} arguments, {given} were given")
            raise ArgumentError(self._job_name, [problem])
        bound = dict(zip(self._names, args, strict=False))
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
            self._names[int(field[1:])]: getattr(shape, field) for field in shape.model_fields_set
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
            for number, name in enumerate(self._names)
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

    def _unwritable(self, checked: BaseModel) -> list[FieldError]:
        problems = []
        for number, name in enumerate(self._names):
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
