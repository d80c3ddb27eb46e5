"""Filters over HTTP: for any filter, the documents that it says, or a refusal."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m import FrameworkM, User
from tests.support.callers import calling
from tests.support.papers import Paper

PAPERS = "/api/v1/resource/Paper"
ADA = User("ada", frozenset({"Author"}))
ROWS = [(pages, ratio) for pages in range(4) for ratio in (None, 0.5, 1.5)]

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
numbers = st.integers(-1, 4)
pages = st.fixed_dictionaries(
    {},
    optional={
        "eq": numbers,
        "ne": numbers,
        "lt": numbers,
        "ge": numbers,
        "in": st.lists(numbers, max_size=3),
        "between": st.lists(numbers, min_size=2, max_size=2),
    },
)
conditions = st.fixed_dictionaries(
    {}, optional={"pages": pages, "ratio": st.fixed_dictionaries({"is_null": st.booleans()})}
)
filters: st.SearchStrategy[Any] = st.recursive(
    conditions,
    lambda inner: (
        st.fixed_dictionaries({"and": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"or": st.lists(inner, max_size=3)})
    ),
    max_leaves=6,
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pages", "title", "or", "and", "eq", "day", "x"]), inner)
    ),
    max_leaves=8,
)


def holds(wanted: Any, page_count: int, ratio: float | None) -> bool:
    """The filter, read as a person would."""
    for name, said in wanted.items():
        match name:
            case "and":
                true = all(holds(item, page_count, ratio) for item in said)
            case "or":
                true = any(holds(item, page_count, ratio) for item in said)
            case "ratio":
                true = (ratio is None) is said["is_null"]
            case _:
                true = all(_compared(page_count, *comparison) for comparison in said.items())
        if not true:
            return False
    return True


def _compared(number: int, operator: str, value: Any) -> bool:
    match operator:
        case "eq":
            return bool(number == value)
        case "ne":
            return bool(number != value)
        case "lt":
            return bool(number < value)
        case "ge":
            return bool(number >= value)
        case "in":
            return number in value
    return bool(value[0] <= number <= value[1])


@pytest.fixture
async def client(papers: FrameworkM) -> AsyncIterator[httpx.AsyncClient]:
    """Of a user who may read half of what there is."""
    for user in (ADA, User("bob", frozenset({"Author"}))):
        some = [Paper(title="x", pages=count, ratio=ratio) for count, ratio in ROWS]
        await papers.repository(Paper, as_user=user).insert_many(some)
    async with calling(papers, ADA) as client:
        yield client


@quick
@given(wanted=filters)
async def test_a_list_holds_what_its_filter_says(client: httpx.AsyncClient, wanted: Any) -> None:
    query = {"filters": json.dumps(wanted), "fields": "owner,pages,ratio", "limit": "100"}
    answer = await client.get(PAPERS, params=query)
    assert answer.status_code == 200, answer.text
    found = [(item["pages"], item["ratio"]) for item in answer.json()["items"]]
    expected = [row for row in ROWS if holds(wanted, *row)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert {item["owner"] for item in answer.json()["items"]} <= {"ada"}


@quick
@given(wanted=anything)
async def test_no_filter_is_a_server_error_or_shows_more(
    client: httpx.AsyncClient, wanted: Any
) -> None:
    answer = await client.get(PAPERS, params={"filters": json.dumps(wanted)})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert {item["owner"] for item in answer.json()["items"]} <= {"ada"}
