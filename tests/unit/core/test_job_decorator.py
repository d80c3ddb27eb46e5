"""@job: a marked function is still the function."""

from collections.abc import Callable

import pytest
from taskiq import TaskiqDepends

from framework_m import job
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.registry import JobRegistry
from tests.support import jobs


async def test_a_job_function_can_be_called() -> None:
    assert await jobs.add(1, b=2) == 3
    assert jobs.plain("a") == "A"


def test_it_keeps_its_name_and_documentation() -> None:
    @job(queue="mail")
    async def send() -> None:
        """Send it."""

    assert (send.name, send.__doc__, send.defaults.queue) == ("send", "Send it.", "mail")


async def test_enqueue_without_an_open_application_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="belongs to no open application: start it with"):
        await jobs.add.enqueue(1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"retries": -1}, "cannot be negative"),
        ({"timeout": 0}, "must be above 0 seconds"),
        ({"queue": "a b"}, "a queue's name is"),
        ({"queue": ""}, "a queue's name is"),
        ({"queue": "q" * 65}, "a queue's name is"),
        ({"queue": "käse"}, "a queue's name is"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        job(**options)  # type: ignore[call-overload]


async def coroutine() -> None: ...


def plain() -> None: ...


@pytest.mark.parametrize(
    ("function", "executor", "problem"),
    [
        (coroutine, "thread", r"job 'coroutine': @job\(executor='thread'\) needs a plain function"),
        (coroutine, "process", "write `def` and no await"),
        (plain, "async", "needs a coroutine function: write `async def`"),
        (plain, "fiber", "must be one of 'async', 'thread', 'process', or left out"),
    ],
)
def test_an_executor_that_cannot_run_the_function_is_refused(
    function: Callable[[], object], executor: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        job(executor=executor)(function)  # type: ignore[call-overload]


def test_without_an_executor_the_function_decides() -> None:
    assert (job(coroutine).executor, job(plain).executor) == ("async", "thread")
    assert job(executor="process")(plain).executor == "process"


def test_dependencies_are_refused_where_they_cannot_be_resolved() -> None:
    def needs(n: int, place: str = TaskiqDepends(str)) -> None: ...

    registry = JobRegistry(default_retries=3, default_timeout=300)
    registry.add(job(needs))
    other = JobRegistry(default_retries=3, default_timeout=300)
    with pytest.raises(ConfigurationError, match="'needs' runs in a process, where dependencies"):
        other.add(job(executor="process")(needs))
