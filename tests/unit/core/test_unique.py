"""Unique jobs and priorities: what makes sense."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from framework_m import JobStatus, Priority, Unique, job
from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.jobs.registry import JobRegistry
from framework_m.core.jobs.unique import UNFINISHED, UniqueLock, unique_lock


@pytest.mark.parametrize(
    ("unique", "problem"),
    [
        (Unique(by=("nobody",)), "the job has no argument nobody"),
        (Unique(by="a"), "is one text; write a tuple of names"),
        (Unique(states=[JobStatus.RUNNING]), "states must have Queued, Scheduled, Retrying, too"),
        (Unique(period=0), "period must be above 0 seconds"),
        (Unique(period=timedelta(seconds=-1)), "period must be above 0 seconds"),
        (Unique(period=float("inf")), "period must be above 0 seconds"),
    ],
)
def test_rules_that_make_no_sense_are_refused(unique: Unique, problem: str) -> None:
    @job(unique=unique)
    async def only(a: int) -> None:
        """Never run."""

    with pytest.raises(ConfigurationError, match="job 'only', unique: .*" + problem):
        JobRegistry(default_retries=3, default_timeout=300).add(only)


def test_a_period_counts_what_went_well() -> None:
    assert Unique().kept_out_in == UNFINISHED
    assert Unique(period=1).kept_out_in == UNFINISHED | {JobStatus.SUCCESS}


@pytest.mark.parametrize("priority", [0, 5, True, "1", 2.5])
def test_priorities_are_four(priority: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"priority.*from 1, the most urgent, to 4"):

        @job(priority=priority)
        async def refused() -> None:
            """Never run."""

    @job(priority=Priority.BULK)
    async def accepted() -> None:
        """Never run."""

    with pytest.raises(ArgumentError, match="priority: must be from 1"):
        accepted.options(priority=priority)
    with pytest.raises(ArgumentError, match="unique_key: cannot be empty"):
        accepted.options(unique_key="")


class Size(BaseModel):
    width: int = 3


NO_SIZE = Size()


@job(name="a")
async def measured(
    n: int,
    rate: float = 1,
    price: Decimal = 0,  # type: ignore[assignment]
    most: float = float("inf"),
    size: Size = NO_SIZE,
    note: str = None,  # type: ignore[assignment]  # noqa: RUF013 - people write it
    tags: frozenset[str] = frozenset(),
) -> None:
    """Never run."""


@job(name="a:b")
async def other() -> None:
    """Never run."""


def _lock(function: Any, /, key: str | None = None, user: str | None = None, **args: Any) -> str:
    registry = JobRegistry(default_retries=3, default_timeout=300)
    registry.add(function)
    arguments = registry.get(function.name).arguments
    found = unique_lock(function.name, Unique(), key, arguments, arguments.dump(args), of_user=user)
    assert isinstance(found, UniqueLock)
    return found.key


@pytest.mark.parametrize(
    "said",
    [
        {"rate": 1},
        {"rate": 1.0},
        {"price": 0},
        {"most": float("inf")},
        {"size": Size()},
        {"size": Size(width=3)},
        {"tags": set()},
    ],
)
def test_a_default_counts_as_if_it_were_given(said: dict[str, Any]) -> None:
    assert _lock(measured, n=1, **said) == _lock(measured, n=1)


def test_the_members_of_a_set_are_in_order() -> None:
    [_, chosen] = json.loads(_lock(measured, n=1, tags={"c", "a", "d", "b"}))
    assert chosen["tags"] == ["a", "b", "c", "d"]


def test_no_key_passes_for_that_of_another_job_or_user() -> None:
    same_text = [
        _lock(measured, "b:c", n=1),
        _lock(other, "c"),
        _lock(measured, "c", "b", n=1),
        _lock(measured, "b:c", "a", n=1),
        _lock(measured, "c", "a:b", n=1),
    ]
    assert len(set(same_text)) == len(same_text)


@pytest.mark.parametrize("key", ["a\x00b", "a\ud800b", "x" * 300])
def test_any_text_makes_a_key_that_can_be_stored(key: str) -> None:
    stored = _lock(other, key)
    assert len(stored.encode()) <= 255
    assert "\x00" not in stored
