"""Unique jobs and priorities: what makes sense."""

from datetime import timedelta
from typing import Any

import pytest

from framework_m import JobStatus, Priority, Unique, job
from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.jobs.registry import JobRegistry
from framework_m.core.jobs.unique import UNFINISHED


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
