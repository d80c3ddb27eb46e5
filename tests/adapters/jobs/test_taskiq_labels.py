"""What labels mean, and which are refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from framework_m import FrameworkM, Settings
from framework_m.adapters.jobs.taskiq_labels import labels_of_run, read
from framework_m.core.causes import Cause
from framework_m.core.errors import ConfigurationError
from framework_m.core.interfaces.job_store import Claim
from framework_m.core.jobs.registry import RegisteredJob


def declared(**labels: Any) -> RegisteredJob:
    app = FrameworkM(settings=Settings(job_retries=7, job_timeout=99))

    async def labelled() -> None: ...

    app.broker.register_task(labelled, name="labelled", **labels)
    return app.registry.get("labelled")


@pytest.mark.parametrize(
    ("labels", "attempts"),
    [
        ({}, 1),
        ({"retry": 3}, 4),
        ({"retries": "3"}, 4),
        ({"retry": 0}, 1),
        ({"retry": True}, 8),
        ({"retries": "true"}, 8),
        ({"retry": False}, 1),
        ({"retry_on_error": True}, 3),
        ({"retry_on_error": True, "max_retries": 5}, 5),
        ({"retry_on_error": True, "max_retries": 0}, 1),
        ({"retry_on_error": "false", "max_retries": 5}, 1),
        ({"max_retries": 5}, 1),
        ({"retry": 2, "retry_on_error": False}, 3),
    ],
)
def test_attempts(labels: dict[str, Any], attempts: int) -> None:
    assert declared(**labels).max_attempts == attempts


def test_other_labels_become_options() -> None:
    job = declared(
        queue="mail", priority="1", timeout="2.5", types_of_exceptions=[OSError], tint="blue"
    )
    assert (job.queue, job.function.defaults.priority, job.timeout) == ("mail", 1, 2.5)
    assert job.policy.retry_on == (OSError,)
    assert declared().timeout == 99


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"retry": "many"}, "retry='many'"),
        ({"retry": 1.5}, "retry=1.5"),
        ({"retries": -1}, "retries=-1"),
        ({"retries": 2**31}, "retries=2147483648"),
        ({"retry": 1, "retries": 1}, "retry=1"),
        ({"retry": 1, "retry_on_error": True}, "retry=1"),
        ({"retry_on_error": "often"}, "retry_on_error='often'"),
        ({"retry_on_error": 1}, "retry_on_error=1"),
        ({"retry_on_error": True, "max_retries": "x"}, "max_retries='x'"),
        ({"queue": "a b"}, "queue='a b'"),
        ({"queue": 5}, "queue=5"),
        ({"priority": 0}, "priority=0"),
        ({"priority": True}, "priority=True"),
        ({"priority": "high"}, "priority='high'"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "nan"}, "timeout='nan'"),
        ({"timeout": True}, "timeout=True"),
        ({"delay": -1}, "delay=-1"),
        ({"delay": []}, r"delay=\[\]"),
        ({"types_of_exceptions": ["OSError"]}, "types_of_exceptions="),
    ],
)
def test_a_wrong_label_names_function_and_label(labels: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'labelled': the label {told}"):
        declared(**labels)


@pytest.mark.parametrize("name", ["", 5])
def test_a_name_is_a_text(name: Any) -> None:
    app = FrameworkM()
    declare: Callable[..., Any] = app.broker.task(name=name)

    async def labelled() -> None: ...

    with pytest.raises(ConfigurationError, match="labelled: the label name="):
        declare(labelled)


def test_what_says_nothing_changes_nothing() -> None:
    assert read({}, 3).retries is None
    assert read({"tint": "blue"}, 3) == read({}, 3)


def test_the_labels_of_a_run() -> None:
    now, trace = datetime.now(UTC), f"00-{'a' * 32}-{'b' * 16}-01"
    claim = Claim(
        "1", "labelled", "mail", "{}", 2, 3, 5, now, now, cause=Cause(trace_context=trace)
    )
    own = {"tint": "blue", "timeout": 5, "delay": 60, "types_of_exceptions": [OSError]}
    assert labels_of_run(own, claim) == {
        "tint": "blue",
        "queue": "mail",
        "priority": 2,
        "_retries": 1,
        "_taskiq_queue_time": now.timestamp(),
        "traceparent": trace,
    }
