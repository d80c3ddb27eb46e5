"""How long records are kept, and how much of them goes at once."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from framework_m import Settings
from framework_m.core.interfaces.job_pruning import OldJob
from framework_m.core.jobs.built_in import BUILT_IN
from framework_m.core.jobs.keeping import KeepDays, age_of
from framework_m.core.jobs.retention import batches
from framework_m.core.jobs.states import JobStatus

NOW = datetime.now(UTC)
days: TypeAdapter[float | str] = TypeAdapter(KeepDays)


@pytest.mark.parametrize(("given", "kept"), [(7, 7.0), ("0.5", 0.5), (" Forever ", "forever")])
def test_records_are_kept_for_days_or_for_ever(given: object, kept: object) -> None:
    assert days.validate_python(given) == kept


@pytest.mark.parametrize(
    "given", [0, "0", -1, "none", "", "nan", "inf", 10**400, 40_000, None, True, []]
)
def test_nothing_else_says_how_long(given: object) -> None:
    with pytest.raises(ValidationError) as refused:
        days.validate_python(given)
    [told] = refused.value.errors()
    assert told["msg"] == "must be a number of days above 0, and at most 36500, or 'forever'"


def test_what_is_kept_for_ever_has_no_age() -> None:
    assert age_of("forever") is None
    assert age_of(0.5) == timedelta(hours=12)


def test_the_environment_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dict(Settings().keeping) == {
        JobStatus.SUCCESS: 7,
        JobStatus.FAILED: 30,
        JobStatus.CANCELLED: 7,
    }
    monkeypatch.setenv("FRAMEWORK_M_KEEP_SUCCESS_DAYS", "0.25")
    monkeypatch.setenv("FRAMEWORK_M_KEEP_FAILED_DAYS", "forever")
    changed = Settings().keeping
    assert (changed[JobStatus.SUCCESS], changed[JobStatus.FAILED]) == (0.25, "forever")
    monkeypatch.setenv("FRAMEWORK_M_KEEP_FAILED_DAYS", "0")
    with pytest.raises(ValidationError, match=r"keep_failed_days\n.*above 0.*or 'forever'"):
        Settings()


def old(job_id: str, lines: int = 0, *, is_removable: bool = True) -> OldJob:
    return OldJob(job_id, NOW, is_removable, lines)


def test_jobs_and_their_lines_fill_a_batch() -> None:
    found = [old("a"), old("b", 8), old("c"), old("d", 500), old("e"), old("f")]
    assert list(batches(found, 10)) == [["a", "b"], ["c"], ["d"], ["e", "f"]]


def test_what_has_to_stay_is_in_no_batch() -> None:
    found = [old("a", is_removable=False), old("b"), old("c", is_removable=False)]
    assert list(batches(found, 10)) == [["b"]]
    assert list(batches(found[:1], 10)) == []


def test_every_job_of_the_frameworks_own_says_whose_it_is() -> None:
    assert BUILT_IN
    assert all(function.name.startswith("framework_m.") for function in BUILT_IN)
