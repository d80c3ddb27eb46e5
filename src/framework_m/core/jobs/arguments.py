"""Arguments: checked against the function's types at enqueue, parsed back in the worker.

JSON only, through pydantic, so that Decimal, datetime, UUID, Enum, dataclasses and models come
back as what they were (invariant 10).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import PydanticSerializationError
from typing_extensions import NotRequired, Required, TypedDict

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
        self._names = tuple(n for n in self._signature.parameters if n != self.context_parameter)
        self._adapter = self._build_adapter(hints)
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
            checked = self._adapter.validate_python(dict(values))
            return self._adapter.dump_json(checked).decode()
        except ValidationError as error:
            raise self._misfit(error) from error
        except (PydanticSerializationError, UnicodeError) as error:
            problem = FieldError("*", f"cannot be written as JSON: {error}")
            raise ArgumentError(self._job_name, [problem]) from error

    def load(self, text: str) -> dict[str, Any]:
        """The values, in the function's own types. Raises ArgumentError."""
        try:
            return dict(self._adapter.validate_json(text))
        except ValidationError as error:
            raise self._misfit(error) from error

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

    def _build_adapter(self, hints: Mapping[str, Any]) -> TypeAdapter[Any]:
        fields = {name: self._field(name, hints.get(name, Any)) for name in self._names}
        # A TypedDict and not a model: any parameter name is allowed, and a default stays with
        # the function, so that a new deploy may change it.
        shape = TypedDict("shape", fields)  # type: ignore[misc]
        shape.__pydantic_config__ = _CONFIG  # type: ignore[attr-defined]
        try:
            return TypeAdapter(shape)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise ConfigurationError(
                f"job {self._job_name!r} has a parameter that JSON cannot hold: {error}"
            ) from error

    def _field(self, name: str, hint: Any) -> Any:
        parameter = self._signature.parameters[name]
        if parameter.kind not in _BY_KEYWORD:
            raise ConfigurationError(
                f"job {self._job_name!r}: parameter {parameter} cannot be stored by name; "
                f"write its arguments out"
            )
        required = parameter.default is inspect.Parameter.empty
        return Required[hint] if required else NotRequired[hint]

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
