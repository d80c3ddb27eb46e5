"""Limits: what makes sense, and the names of their gates."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m import Concurrency, Rate, job
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.function import JobFunction
from framework_m.core.jobs.limits import Limits
from framework_m.core.jobs.registry import JobRegistry


def registry(*functions: JobFunction[..., Any]) -> JobRegistry:
    made = JobRegistry(default_retries=3, default_timeout=300)
    for function in functions:
        made.add(function)
    return made


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ([Concurrency(0)], "limit must be a whole number from 1"),
        ([Concurrency(True)], "limit must be a whole number from 1"),
        ([Concurrency("2")], "limit must be a whole number from 1"),  # type: ignore[arg-type]
        ([Rate(0)], "limit must be a whole number from 1"),
        ([Rate(1, per=0)], "per must be above 0 seconds"),
        ([Rate(1, per=-1)], "per must be above 0 seconds"),
        ([Rate(1, per=float("nan"))], "per must be above 0 seconds"),
        ([Rate(1, per=timedelta())], "per must be above 0 seconds"),
        ([Rate(1, per="minute")], "per must be above 0 seconds"),  # type: ignore[arg-type]
        ([Rate(1, per=1e12)], "per, times burst over limit, must be at most ten years"),
        ([Rate(1, per=86400, burst=10**6)], "per, times burst over limit, must be at most"),
        ([Rate(1, burst=0)], "burst must be a whole number from 1"),
        ([Concurrency(1, key="nobody")], "the job has no argument nobody"),
        ([Concurrency(1), Concurrency(2)], "another limit is about the same"),
        ([Rate(1, key="a"), Rate(2, key=("a",))], "another limit is about the same"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: list[Any], problem: str) -> None:
    @job(limits=limits)
    async def limited(a: int, b: int = 0) -> None:
        """Never run."""

    with pytest.raises(ConfigurationError, match="job 'limited', limits, .*" + problem):
        registry(limited)


def test_limits_of_different_kinds_go_together() -> None:
    @job(
        limits=[Concurrency(9), Concurrency(2, key="a"), Rate(9), Rate(9, per=60), Rate(9, key="a")]
    )
    async def limited(a: int, b: int = 0) -> None:
        """Never run."""

    limits = Limits(registry(limited), {"narrow": 3}.get)
    keyed = limits.keyed("limited", '{"a": 1}')
    names = [gate.name for gate in limits.gates("limited", "narrow", keyed)]
    assert names == [
        "limit:a:limited:1",
        "rate/1:a:limited:1",
        "limit::limited",
        "rate/1::limited",
        "rate/60::limited",
        "queue:narrow",
    ]
    assert limits.gates("unknown", "wide", ()) == ()


def test_defaults_and_long_values_count_for_a_key() -> None:
    @job(limits=[Concurrency(1, key=("a", "b"))])
    async def limited(a: str, b: int = 7) -> None:
        """Never run."""

    limits = Limits(registry(limited))
    assert limits.keyed("limited", '{"a": "x"}') == limits.keyed("limited", '{"a": "x", "b": 7}')
    [one] = limits.keyed("limited", f'{{"a": "{"x" * 5000}1"}}')
    [other] = limits.keyed("limited", f'{{"a": "{"x" * 5000}2"}}')
    assert len(one) <= 255
    assert one != other


@given(st.text(), st.text(), st.text(), st.text())
def test_different_values_have_different_gates(a: str, b: str, c: str, d: str) -> None:
    import json

    @job(limits=[Concurrency(1, key=("a", "b"))])
    async def limited(a: str, b: str) -> None:
        """Never run."""

    limits = Limits(registry(limited))
    one = limits.keyed("limited", json.dumps({"a": a, "b": b}))
    other = limits.keyed("limited", json.dumps({"a": c, "b": d}))
    assert (one == other) == ((a, b) == (c, d))


def test_a_burst_is_a_tenth_of_a_second_unless_it_is_given() -> None:
    for rate, burst in ((Rate(10), 1), (Rate(1000), 100), (Rate(1, per=86400), 1)):
        assert rate.gate("x").burst == burst
    assert Rate(10, burst=5).gate("x").tolerance == pytest.approx(0.4)
