"""What `m job:run NAME …` makes of words, and what it says of those that do not fit."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from framework_m import JobContext, job
from framework_m.cli.console import UsageError
from framework_m.cli.job_arguments import parsed
from framework_m.cli.job_help import say_help
from framework_m.cli.job_types import shown_type
from framework_m.core.jobs.registry import JobRegistry, RegisteredJob


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Address(BaseModel):
    street: str
    number: int = 1


Month = NewType("Month", str)


@job(queue="reports", retries=0, timeout=60)
async def everything(
    ctx: JobContext,
    *,
    n: int = 0,
    ratio: float = 0,
    total: Decimal = Decimal(0),
    at: datetime | None = None,
    day: date | None = None,
    lasts: timedelta | None = None,
    key: UUID | None = None,
    colour: Colour = Colour.RED,
    size: Literal["S", "L", 42] = "S",
    text: str = "",
    maybe: str | None = None,
    urgent: bool = False,
    words: list[str] | None = None,
    numbers: set[int] = frozenset(),  # type: ignore[assignment]
    pair: tuple[int, str] = (1, ""),
    sequence: Sequence[int] = (),
    addresses: list[Address] = [],  # noqa: B006 - never changed
    limits: dict[str, int] = {},  # noqa: B006 - never changed
    address: Address | None = None,
    few: Annotated[int, Field(ge=1, le=5)] = 1,
    either: int | str = 0,
    anything: Any = None,
    from_: str = "",
) -> None:
    """Take one of each.

    Nothing is done with them.
    """


@job
async def report(month: Month, customer_id: int, draft: bool, queue: str = "") -> None:
    """No more than asked for."""


@job
async def nothing() -> None: ...


def known(function: Any) -> RegisteredJob:
    registry = JobRegistry(default_retries=3, default_timeout=300)
    registry.add(function)
    return registry.get(function.name)


def read(*words: str) -> dict[str, Any]:
    """What the function would get."""
    found = known(everything)
    return found.arguments.load(found.arguments.dump(parsed(found, words)))


def complaint(function: Any, *words: str) -> str:
    with pytest.raises(UsageError) as refused:
        parsed(known(function), words, taken=["queue"])
    return str(refused.value)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--n", "5"], 5),
        (["--n", "-5"], -5),
        (["--n=-5"], -5),
        (["--ratio", "-1e3"], -1000.0),
        (["--total", "-0.10"], Decimal("-0.10")),
        (["--at", "2026-11-24T10:00:00Z"], datetime(2026, 11, 24, 10, tzinfo=UTC)),
        (["--day", "2026-11-24"], date(2026, 11, 24)),
        (["--lasts", "PT90S"], timedelta(seconds=90)),
        (
            ["--key", "01a21224-8f7f-7000-b041-614736e24668"],
            UUID(int=0x01A212248F7F7000B041614736E24668),
        ),
        (["--colour", "green"], Colour.GREEN),
        (["--size", "L"], "L"),
        (["--size", "42"], 42),
        (["--text", ""], ""),
        (["--text="], ""),
        (["--text", "-"], "-"),
        (["--text", "a=b"], "a=b"),
        (["--text=--wait"], "--wait"),
        (["--text", "42"], "42"),
        (["--text", '{"a": 1}'], '{"a": 1}'),
        (["--text", "Grüße, 世界 🌍"], "Grüße, 世界 🌍"),
        (["--maybe", "null"], "null"),
        (["--urgent"], True),
        (["--no-urgent"], False),
        (["--urgent", "no"], False),
        (["--urgent=true"], True),
        (["--words", "one"], ["one"]),
        (["--words", "42"], ["42"]),
        (["--words", ""], [""]),
        (["--words", '["a", "b"]'], ["a", "b"]),
        (["--words", "a", "--words=b"], ["a", "b"]),
        (["--numbers", "3"], {3}),
        (["--numbers", "3", "--numbers", "4"], {3, 4}),
        (["--pair", '[5, "x"]'], (5, "x")),
        (["--pair", "5", "--pair", "x"], (5, "x")),
        (["--sequence", "1", "--sequence", "2"], [1, 2]),
        (["--addresses", '{"street": "x"}'], [Address(street="x")]),
        (
            ["--addresses", '{"street": "x"}', "--addresses", '{"street": "y", "number": 2}'],
            [Address(street="x"), Address(street="y", number=2)],
        ),
        (["--limits", '{"a": 1}'], {"a": 1}),
        (["--address", '{"street": "Ö"}'], Address(street="Ö")),
        (["--few", "5"], 5),
        (["--either", "five"], "five"),
        (["--anything", "text"], "text"),
        (["--anything", '{"a": [1]}'], {"a": [1]}),
        (["--from_", "here"], "here"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_words_are_read_by_the_type_of_their_parameter(words: list[str], value: object) -> None:
    [(_, given)] = read(*words).items()
    assert (given, type(given)) == (value, type(value))


def test_a_parameter_may_be_written_with_hyphens_or_underscores() -> None:
    for option in ("--customer-id", "--customer_id"):
        words = (option, "7", "--month", "2026-11", "--no-draft")
        given = parsed(known(report), words)
        assert given == {"customer_id": "7", "month": "2026-11", "draft": "false"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--n", "x"], "--n (expected: int): Input should be a valid integer"),
        (["--n", ""], "--n (expected: int): Input should be a valid integer"),
        (["--n", "1.5"], "--n (expected: int)"),
        (["--total", "much"], "--total (expected: Decimal): Input should be a valid decimal"),
        (["--at", "soon"], "--at (expected: datetime | None)"),
        (
            ["--colour", "blue"],
            "--colour (expected: red | green): Input should be 'red' or 'green'",
        ),
        (["--size", "XL"], "--size (expected: S | L | 42)"),
        (["--urgent", "perhaps"], "--urgent (expected: bool)"),
        (["--few", "6"], "--few (expected: int): Input should be less than or equal to 5"),
        (["--numbers", "3", "--numbers", "x"], "--numbers (expected: set[int]): 1: "),
        (["--words", "[broken"], "--words (expected: list[str] | None): is not JSON: "),
        (["--limits", "{broken"], "--limits (expected: dict[str, int]): is not JSON: "),
        (["--limits", '{"a": "x"}'], "--limits (expected: dict[str, int]): a: Input should be"),
        (["--limits", "[" * 100_000], "--limits (expected: dict[str, int]): is JSON nested too"),
        (["--address", '{"street": 5}'], "--address (expected: Address | None): street: "),
        (["--n", "1", "--n", "2"], "--n is given twice"),
        (["--urgent", "--no-urgent"], "--no-urgent is given twice"),
        (["--n"], "--n needs a value (expected: int)"),
        (["--n", "--urgent"], "--n needs a value (expected: int)"),
        (["--no-urgent=yes"], "--no-urgent takes no value"),
        (["--no-n"], "--no-n is no option of everything"),
        (["--colur", "red"], "--colur is no option of everything; did you mean --colour?"),
        (["7"], "'7': write a job's arguments as --key value"),
        (["--n", "1", "2"], "'2': write a job's arguments as --key value"),
        (["-n", "1"], "'-n': write a job's arguments as --key value"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_named_with_its_option_and_type(words: list[str], told: str) -> None:
    said = complaint(everything, *words)
    assert told in said
    assert "\n" not in said


def test_all_problems_are_named_at_once() -> None:
    said = complaint(everything, "--n", "x", "--colour", "blue", "--text", "fine")
    assert "--n (" in said
    assert "--colour (" in said
    assert "--text" not in said


def test_missing_arguments_are_named_with_their_types() -> None:
    assert complaint(report) == (
        "job 'report': --month is missing (expected: str); "
        "--customer-id is missing (expected: int); --draft is missing (expected: bool)"
    )


def test_a_mistyped_option_is_not_also_missing() -> None:
    said = complaint(report, "--mont", "2026-11")
    assert said == "job 'report': --mont is no option of report; did you mean --month?"


def test_options_are_listed_where_none_is_near() -> None:
    assert "(report takes --month, --customer-id, --draft, --queue)" in complaint(report, "--xyz")
    assert "(nothing takes none)" in complaint(nothing, "--xyz", "1")
    assert parsed(known(nothing), []) == {}


def test_a_missing_argument_that_an_option_of_the_command_hides_is_said_to_go_after_dashes() -> (
    None
):
    @job
    async def hidden(queue: str) -> None: ...

    assert "write it after --, it is an option of m job:run, too" in complaint(hidden)


def test_help_shows_parameters_with_types_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    say_help(known(everything))
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: m job:run everything [options of the run]\n")
    assert "\nTake one of each.\n\nNothing is done with them.\n" in shown
    rows = {row.split()[0].strip(","): " ".join(row.split()) for row in shown.splitlines() if row}
    assert rows["--n"] == "--n int default: 0"
    assert rows["--colour"] == "--colour red | green default: <Colour.RED: 'red'>"
    assert rows["--urgent"] == "--urgent, --no-urgent bool default: False"
    assert rows["--sequence"] == "--sequence Sequence[int] default: (), may be repeated"
    assert "ctx" not in shown
    assert "Queue reports, one attempt, timeout 60 s" in shown


def test_help_shows_what_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    say_help(known(report))
    shown = capsys.readouterr().out
    assert "Usage: m job:run report --month … --customer-id … --draft … [options" in shown
    assert ["--month", "str", "required"] in [row.split() for row in shown.splitlines()]


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (int, "int"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (tuple[int, ...], "tuple[int, …]"),
        (Annotated[int, Field(ge=1)], "int"),
        (Literal["a", 1], "a | 1"),
        (Month, "str"),
        (Any, "anything"),
        (Colour | None, "red | green | None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_types_are_shown_as_they_are_written(hint: Any, shown: str) -> None:
    assert shown_type(hint) == shown
