"""@job: a marked function is still the function."""

import pytest

from framework_m import job
from framework_m.core.errors import ConfigurationError
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
