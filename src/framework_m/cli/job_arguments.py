"""A job's arguments, read from a command line by the types of its function."""

from __future__ import annotations

import inspect
import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from framework_m.cli.console import UsageError
from framework_m.cli.job_types import fits_all, is_flag, shown_type, takes_many
from framework_m.core.errors import ArgumentError
from framework_m.core.text import nearest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from framework_m.core.jobs.registry import RegisteredJob

_MOST_PROBLEMS = 3


def option_of(name: str) -> str:
    """The option of a parameter: `--total-sum`; of one that is named to avoid a word, `--from_`."""
    return f"--{re.sub(r'(?<=.)_(?=.)', '-', name)}"


def parsed(
    job: RegisteredJob,
    words: Sequence[str],
    taken: Iterable[str] = (),
    *,
    command: str = "m job:run",
    known: Iterable[str] = (),
) -> dict[str, Any]:
    """The arguments that `--key value …` stand for.

    words: what was written after the job's name, less the options of the command itself.
    taken: the parameters that an option of the command hides, unless they come after `--`.
    known: the parameters whose values are there already: they may be left out.

    Raises UsageError that names each option which is unknown, missing, or does not fit.
    """
    given = _given(job, words)
    _require(job, {*given, *known}, frozenset(taken), command)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, texts in given.items():
        try:
            values[name] = _fitting(job, name, texts)
        except ValueError as misfit:
            hint = shown_type(job.arguments.hint(name))
            problems.append(f"{option_of(name)} (expected: {hint}): {misfit}")
    _refuse(job, problems)
    return values


def _given(job: RegisteredJob, words: Sequence[str]) -> dict[str, list[str]]:
    """The texts of each parameter. An unknown option is told with the nearest known one."""
    given: dict[str, list[str]] = {}
    problems: list[str] = []
    left = deque(words)
    while left:
        option, equals, text = left.popleft().partition("=")
        if not option.startswith("--") or option == "--":
            raise UsageError(f"{option + equals + text!r}: {_AS_OPTIONS}{_known(job)}")
        try:
            name, value = _read(job, option, text if equals else None, left)
        except ValueError as problem:
            problems.append(str(problem))
            continue
        if name in given and not takes_many(job.arguments.hint(name)):
            problems.append(f"{option} is given twice")
        given.setdefault(name, []).append(value)
    _refuse(job, problems)
    return given


_AS_OPTIONS = "write a job's arguments as --key value"


def _read(job: RegisteredJob, option: str, text: str | None, left: deque[str]) -> tuple[str, str]:
    """The parameter of an option, and its text: from the words that are left, if need be.

    Raises ValueError.
    """
    name, is_negated = _parameter(job, option[2:])
    if is_negated and text is not None:
        raise ValueError(f"{option} takes no value")
    if is_negated:
        text = "false"
    elif text is None and left and not left[0].startswith("--"):
        text = left.popleft()
    if name is None:
        raise ValueError(_unknown(job, option))
    hint = job.arguments.hint(name)
    if text is None and is_flag(hint):
        text = "true"
    if text is None:
        raise ValueError(f"{option} needs a value (expected: {shown_type(hint)})")
    return name, text


def _parameter(job: RegisteredJob, key: str) -> tuple[str | None, bool]:
    """Which one is meant, if any, and whether it was said with `no`."""
    names = {name.replace("_", "-"): name for name in job.arguments.names}
    key = key.replace("_", "-")
    if key in names:
        return names[key], False
    negated = names.get(key.removeprefix("no-"))
    if negated is not None and is_flag(job.arguments.hint(negated)):
        return negated, True
    return None, False


def _require(
    job: RegisteredJob, given: Collection[str], taken: frozenset[str], command: str
) -> None:
    known = job.arguments
    missing = (
        name
        for name in known.names
        if name not in given and known.default(name) is inspect.Parameter.empty
    )
    after = f"; write it after --, it is an option of {command}, too"
    _refuse(
        job,
        [
            f"{option_of(name)} is missing (expected: {shown_type(known.hint(name))})"
            + (after if name in taken else "")
            for name in missing
        ],
    )


def _fitting(job: RegisteredJob, name: str, texts: Sequence[str]) -> Any:
    """The first reading of the texts that fits. Raises ValueError with what is wrong."""
    first: str | None = None
    told: str | None = None
    for value in _readings(texts, job.arguments.hint(name)):
        told = _problem(job, name, value)
        if told is None:
            return value
        first = first or told
    # JSON that does not fit says more by what is inside it than by being no plain text.
    raise ValueError(told if _looks_like_json(texts[0]) else first)


def _readings(texts: Sequence[str], hint: Any) -> Iterator[Any]:
    """What the texts may mean: themselves, a list of one, JSON."""
    if len(texts) > 1:
        yield list(texts)
        yield [_decoded(text) for text in texts]
        return
    if fits_all(hint) and _looks_like_json(texts[0]):
        yield _decoded(texts[0])
    yield texts[0]
    if takes_many(hint) and not texts[0].lstrip().startswith("["):
        yield [texts[0]]
        yield [_decoded(texts[0])]
    yield _decoded(texts[0])


def _decoded(text: str) -> Any:
    """As JSON; as it is, if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _looks_like_json(text: str) -> bool:
    return text.lstrip().startswith(("[", "{"))


def _problem(job: RegisteredJob, name: str, value: Any) -> str | None:
    """What is wrong with one argument, whatever the others are."""
    try:
        job.arguments.dump({name: value})
    except ArgumentError as error:
        parts = [(found.field.partition("."), found.message) for found in error.errors]
        told = [
            f"{inside}: {message}" if inside else message
            for (field, _, inside), message in parts
            if field == name
        ]
        if told and isinstance(value, str) and _looks_like_json(value):
            return _why_no_json(value)
        return "; ".join(told[:_MOST_PROBLEMS]) or None
    return None


def _why_no_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        return f"is not JSON: {error}"
    except RecursionError:
        return "is JSON nested too deeply"
    return "is JSON of another type"


def _unknown(job: RegisteredJob, option: str) -> str:
    nearest = nearest_of(option[2:].replace("-", "_"), job.arguments.names)
    hint = f"; did you mean {option_of(nearest)}?" if nearest else _known(job)
    return f"{option} is no option of {job.name}{hint}"


def _known(job: RegisteredJob) -> str:
    options = ", ".join(option_of(name) for name in job.arguments.names)
    return f" ({job.name} takes {options})" if options else f" ({job.name} takes none)"


def _refuse(job: RegisteredJob, problems: Sequence[str]) -> None:
    if problems:
        raise UsageError(f"job {job.name!r}: {'; '.join(problems)}")
