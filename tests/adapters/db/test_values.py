"""Any value of every field type comes back as it was, in the same order, on both databases."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal, get_args

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from framework_m import FrameworkM, Secret, where
from framework_m.adapters.db.decimals import decoded, encoded, key
from tests.support.documents import Colour, Everything, Level, Line

# The database is the same for all examples of a test; what they write is told apart by name.
on_one_database = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def exact_decimals(draw: st.DrawFn) -> Decimal:
    digits = draw(st.lists(st.integers(0, 9), min_size=1, max_size=30))
    exponent = draw(st.integers(-900, 900) | st.integers(-12, 12))
    return Decimal((draw(st.integers(0, 1)), tuple(digits), exponent))


def in_range(value: datetime) -> bool:
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    return True


moments = st.datetimes(timezones=st.timezones() | st.just(UTC)).filter(in_range)
money = st.decimals(min_value=-9_999_999_999, max_value=9_999_999_999, places=2)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# JSON has offsets of whole minutes; those of before standard time had seconds.
offsets = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
lines = st.builds(
    Line,
    text=st.text(),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    at=st.none() | st.datetimes(timezones=offsets),
)
documents = st.builds(
    Everything,
    text=storable,
    short=st.none() | storable.map(lambda text: text[:5]),
    integer=integers,
    number=finite,
    flag=st.booleans(),
    exact=exact_decimals(),
    money=st.none() | money,
    day=st.none() | st.dates(),
    moment=st.none() | moments,
    clock=st.none() | st.times(),
    key=st.none() | st.uuids(),
    colour=st.sampled_from(Colour),
    level=st.none() | st.sampled_from(Level),
    choice=st.sampled_from(get_args(Literal["a", "b"])),
    mapping=st.dictionaries(st.text(), json_values, max_size=4),
    items=st.lists(lines, max_size=3),
    line=st.none() | lines,
    anything=json_values,
    raw=st.none() | st.binary(),
    secret=st.none() | st.text().filter(lambda text: text != "*" * 10).map(Secret),
)


@on_one_database
@given(document=documents)
@example(document=Everything(number=-0.0, exact=Decimal("-0.00"), money=Decimal("1E+2")))
@example(document=Everything(moment=datetime.min.replace(tzinfo=UTC), clock=time.max))
@example(document=Everything(moment=datetime.max.replace(tzinfo=UTC), text="", mapping={"": ""}))
@example(document=Everything(number=5e-324, integer=-(2**63), anything=[2**70, -0.0, "\x00"]))
@example(document=Everything(exact=Decimal("1E+999"), money=Decimal("-9999999999.99")))
async def test_any_document_comes_back_as_it_was(app: FrameworkM, document: Everything) -> None:
    given_values, document = document, document.model_copy(deep=True)
    repo = app.repository(Everything)
    saved = await repo.save(document)
    found = await repo.get(saved.name)
    assert found == saved
    assert found.model_dump_json() == saved.model_dump_json()
    for field in given_values.model_fields_set:
        before, after = getattr(given_values, field), getattr(found, field)
        if isinstance(before, datetime):
            # Python calls times in the hour that a clock repeats unequal to all other zones'.
            before = before.astimezone(UTC)
        assert (field, after, type(after)) == (field, before, type(before))
    again = Everything.model_validate_json(found.model_dump_json(exclude={"secret"}))
    assert again == found.model_copy(update={"secret": None})


COMPARED: dict[str, st.SearchStrategy[Any]] = {
    "integer": integers,
    "number": finite,
    "exact": exact_decimals() | st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal(1)]),
    "money": money,
    "day": st.dates(),
    "moment": moments,
    "clock": st.times(),
    "key": st.uuids(),
    "flag": st.booleans(),
    "level": st.sampled_from(Level),
    "text": storable,
}
OPERATORS = ("lt", "le", "gt", "ge", "eq", "ne")


@pytest.mark.parametrize("field", COMPARED)
@settings(on_one_database, max_examples=25)
@given(data=st.data())
async def test_values_compare_as_in_python(app: FrameworkM, field: str, data: Any) -> None:
    values = data.draw(st.lists(COMPARED[field], min_size=1, max_size=6))
    if field == "moment":
        values = [value.astimezone(UTC) for value in values]
    pivot = data.draw(st.sampled_from(values))
    table = app.ports.tables.table("Everything")
    repo = app.repository(Everything)
    async with app.transaction() as tx:
        await tx.execute(delete(table))
        await repo.insert_many(Everything.model_validate({field: value}) for value in values)
        listed = [getattr(found, field) for found in await repo.list(order_by=field)]
        assert listed == sorted(values)
        for name in OPERATORS:
            compare: Callable[[Any, Any], bool] = getattr(operator, name)
            expected = sum(compare(value, pivot) for value in values)
            assert await repo.count(getattr(where(field), name)(pivot)) == expected
        assert await repo.count(where(field).in_([pivot])) == values.count(pivot)
        await _pages_agree(app, field, values)


async def _pages_agree(app: FrameworkM, field: str, values: list[Any]) -> None:
    repo = app.repository(Everything)
    for order in (field, f"-{field}"):
        paged = [getattr(f, field) async for f in repo.iterate(order_by=order, batch=2)]
        assert paged == sorted(values, reverse=order.startswith("-"))


@given(exact_decimals(), exact_decimals())
@example(Decimal("-1.1"), Decimal("-1.12"))
@example(Decimal("9.99"), Decimal(10))
@example(Decimal("-0.00"), Decimal("1E-900"))
def test_the_text_of_decimals_sorts_as_they_do(a: Decimal, b: Decimal) -> None:
    assert decoded(encoded(a)) == a
    assert (a < b) == (key(a) < key(b))
    assert (a == b) == (key(a) == key(b))
    assert key(a) <= encoded(a) < f"{key(a)}:"
    assume(a < b)
    assert encoded(a) < encoded(b)
