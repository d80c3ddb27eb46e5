"""taskiq's middlewares and event handlers, around jobs of either kind."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from taskiq import (
    AsyncTaskiqDecoratedTask,
    SimpleRetryMiddleware,
    SmartRetryMiddleware,
    TaskiqEvents,
    TaskiqMessage,
    TaskiqMiddleware,
    TaskiqResult,
    TaskiqState,
)

from framework_m import Backoff, FrameworkM, JobStatus, Snooze
from framework_m.adapters.db.job_log_store import JobLogStore
from framework_m.core.errors import ArgumentError, ConfigurationError
from framework_m.core.interfaces.job_store import ClaimTerms
from framework_m.core.wakeup import Wakeup
from tests.support import executor_jobs
from tests.support.harness import Harness


class Hears(TaskiqMiddleware):
    """Writes down what it is told; some of it synchronously, as taskiq allows."""

    def __init__(self, name: str, heard: list[str]) -> None:
        super().__init__()
        self._name = name
        self._heard = heard

    def note(self, what: str, *details: object) -> None:
        self._heard.append(" ".join([self._name, what, *map(str, details)]))

    def startup(self) -> None:
        self.note("startup", self.broker.is_worker_process)

    async def shutdown(self) -> None:
        self.note("shutdown")

    async def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        self.note("pre_send", message.kwargs)
        return message

    def post_send(self, message: TaskiqMessage) -> None:
        self.note("post_send")

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self.note("pre_execute", message.task_name, message.kwargs)
        return message

    async def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        self.note("on_error", exception)

    async def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        self.note("post_execute", result.return_value)

    def post_save(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        self.note("post_save", result.is_err)


class Breaks(TaskiqMiddleware):
    """Raises where it is told to, and as often."""

    def __init__(self, where: str, error: BaseException, times: int = 1) -> None:
        super().__init__()
        self._where = where
        self._error = error
        self._left = times

    def _break(self, where: str) -> None:
        if where == self._where and self._left:
            self._left -= 1
            raise self._error

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self._break("pre_execute")
        return message

    def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        self._break("on_error")

    async def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        self._break("post_execute")

    async def post_save(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        self._break("post_save")


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def app(sqlite: Harness) -> FrameworkM:
    return sqlite.application(modules=[])


def counted(app: FrameworkM, **labels: Any) -> tuple[AsyncTaskiqDecoratedTask[Any, Any], list[int]]:
    """A function, and one entry for each of its runs."""
    runs: list[int] = []

    async def count(fail: bool = False) -> int:
        runs.append(1)
        if fail:
            raise ValueError("no luck")
        return len(runs)

    return app.broker.register_task(count, task_name="counted", **labels), runs


async def test_they_run_in_order_around_a_function_of_taskiqs(
    app: FrameworkM, heard: list[str]
) -> None:
    count, _ = counted(app)
    app.broker.add_middlewares(Hears("a", heard), Hears("b", heard))
    async with app, app.worker():
        asked = await count.kiq(fail=False)
        await asked.wait_result(check_interval=0.01, timeout=20)
    sent = [it for it in heard if "_send" in it]
    assert sent == [
        "a pre_send {'fail': False}",
        "b pre_send {'fail': False}",
        "b post_send",
        "a post_send",
    ]
    assert [it for it in heard if "_send" not in it] == [
        "a startup True",
        "b startup True",
        "a pre_execute counted {'fail': False}",
        "b pre_execute counted {'fail': False}",
        "b post_execute 1",
        "a post_execute 1",
        "b post_save False",
        "a post_save False",
        "a shutdown",
        "b shutdown",
    ]


@pytest.mark.parametrize(
    ("job", "arguments", "told"),
    [
        ("add", {"a": 1}, ["pre_execute add {'a': 1}", "post_execute 2", "post_save False"]),
        (
            "boom",
            {},
            ["pre_execute boom {}", "on_error no luck", "post_execute None", "post_save True"],
        ),
        # Its context is no argument: no middleware could write it as JSON.
        ("count_to", {"total": 1}, ["pre_execute count_to {'total': 1}", "post_execute None"]),
        ("plain", {"text": "a"}, ["pre_execute plain {'text': 'a'}", "post_execute A"]),
    ],
)
async def test_they_run_around_our_own_jobs(
    sqlite: Harness, heard: list[str], job: str, arguments: dict[str, Any], told: list[str]
) -> None:
    app = sqlite.application()
    app.broker.add_middlewares(Hears("it", heard))
    async with app, app.worker():
        await sqlite.ended(await app.enqueue(job, **arguments))
    around = [it.removeprefix("it ") for it in heard if "startup" not in it]
    assert around[: len(told)] == told


@pytest.mark.parametrize("fail", [False, True])
async def test_they_run_around_jobs_in_processes(
    sqlite: Harness, heard: list[str], fail: bool
) -> None:
    app = sqlite.application(modules=[executor_jobs.__name__], job_retries=0)
    app.broker.add_middlewares(Hears("it", heard))
    async with app, app.worker():
        asked = app.enqueue("crashes", how="exit") if fail else app.enqueue("squares", n=3)
        ended = await sqlite.ended(await asked)
    around = [it.removeprefix("it ") for it in heard if "startup" not in it]
    if fail:
        assert around[0] == "pre_execute crashes {'how': 'exit'}"
        assert around[1].startswith(f"on_error job {ended.job_id} ended Failed: JobProcessDied")
    else:
        assert around[:2] == ["pre_execute squares {'n': 3}", "post_execute 9"]


@pytest.mark.parametrize("where", ["pre_execute", "post_execute"])
async def test_what_they_raise_is_tried_again(app: FrameworkM, sqlite: Harness, where: str) -> None:
    count, runs = counted(app, retry=1)
    app.broker.add_middlewares(Breaks(where, OSError("away")))
    async with app, app.worker():
        asked = await count.kiq()
        ended = await sqlite.ended(asked.task_id)
    assert (ended.status, ended.attempt) == (JobStatus.SUCCESS, 2)
    assert [it.error for it in ended.attempts] == ["OSError: away"]
    assert len(runs) == (1 if where == "pre_execute" else 2)


@pytest.mark.parametrize("where", ["pre_execute", "on_error", "post_execute"])
async def test_what_they_raise_for_good_is_a_recorded_failure(
    app: FrameworkM, sqlite: Harness, where: str
) -> None:
    count, _ = counted(app)
    app.broker.add_middlewares(Breaks(where, OSError("away"), times=9))
    async with app, app.worker():
        asked = await count.kiq(fail=where == "on_error")
        ended = await sqlite.ended(asked.task_id)
    assert (ended.status, ended.error) == (JobStatus.FAILED, "OSError: away")
    assert ended.traceback is not None
    assert "_break" in ended.traceback


class Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unsayable(), "Unsayable: its message cannot be shown (ValueError)"),
        (SystemExit(3), "SystemExit: 3"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["pre_execute", "post_execute"])
async def test_whatever_they_raise_is_an_outcome_and_the_worker_goes_on(
    app: FrameworkM, sqlite: Harness, where: str, error: BaseException, told: str
) -> None:
    count, _ = counted(app)
    app.broker.add_middlewares(Breaks(where, error))
    async with app, app.worker():
        first, second = await count.kiq(), await count.kiq()
        ended = [await sqlite.ended(it.task_id) for it in (first, second)]
    assert {it.error for it in ended} == {told, None}
    assert {it.status for it in ended} == {JobStatus.FAILED, JobStatus.SUCCESS}


async def test_what_they_raise_around_a_process_is_a_recorded_failure(sqlite: Harness) -> None:
    app = sqlite.application(modules=[executor_jobs.__name__], job_retries=0)
    app.broker.add_middlewares(Breaks("pre_execute", OSError("away")))
    async with app, app.worker():
        ended = await sqlite.ended(await app.enqueue("squares", n=3))
    assert (ended.status, ended.error) == (JobStatus.FAILED, "OSError: away")


async def test_one_may_put_a_job_off(app: FrameworkM, sqlite: Harness) -> None:
    count, runs = counted(app)
    app.broker.add_middlewares(Breaks("pre_execute", Snooze(after=0.01), times=2))
    async with app, app.worker():
        asked = await count.kiq()
        ended = await sqlite.ended(asked.task_id)
    assert (ended.status, ended.attempt, len(runs)) == (JobStatus.SUCCESS, 1, 1)


async def test_after_the_outcome_nothing_that_they_do_changes_it(
    app: FrameworkM, sqlite: Harness
) -> None:
    count, runs = counted(app, retry=3)
    app.broker.add_middlewares(Breaks("post_save", OSError("away")))
    async with app, app.worker():
        for _ in range(2):
            asked = await count.kiq()
            assert (await sqlite.ended(asked.task_id)).status is JobStatus.SUCCESS
    assert len(runs) == 2


async def test_what_follows_the_outcome_may_outlast_a_lease(
    sqlite: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    renew, looks, saved = JobLogStore.renew, Wakeup(), asyncio.Event()

    async def renewed(
        store: JobLogStore, held: Mapping[str, int], terms: ClaimTerms
    ) -> frozenset[str]:
        lost = await renew(store, held, terms)
        home.call_soon_threadsafe(looks.call)
        return lost

    class Tells(TaskiqMiddleware):
        async def post_save(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
            if message.task_name == "counted":
                for _ in range(2):
                    await looks.wait_beyond(looks.calls, 20)
                saved.set()

    async def has_a_lease_to_renew() -> None:
        await saved.wait()

    home = asyncio.get_running_loop()
    monkeypatch.setattr(JobLogStore, "renew", renewed)
    app = sqlite.application(modules=[], lease=1)
    count, _ = counted(app)
    other = app.broker.register_task(has_a_lease_to_renew, task_name="other")
    app.broker.add_middlewares(Tells())
    async with app, app.worker():
        await other.kiq()
        await count.kiq()
        await asyncio.wait_for(saved.wait(), 20)
    assert "lost the claims" not in caplog.text


async def test_one_may_change_what_is_run_and_what_came_of_it(
    app: FrameworkM, sqlite: Harness
) -> None:
    class Changes(TaskiqMiddleware):
        def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
            return message.model_copy(update={"kwargs": {"fail": True}})

        def on_error(
            self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
        ) -> None:
            result.error, result.return_value = None, 42

    count, _ = counted(app)
    app.broker.add_middlewares(Changes())
    async with app, app.worker():
        asked = await count.kiq()
        ended = await sqlite.ended(asked.task_id)
    assert (ended.status, ended.result) == (JobStatus.SUCCESS, 42)


async def test_a_job_that_is_cancelled_in_one_is_cancelled(
    app: FrameworkM, sqlite: Harness
) -> None:
    inside = asyncio.Event()

    class Waits(TaskiqMiddleware):
        async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
            inside.set()
            await asyncio.Event().wait()
            return message

    count, runs = counted(app, retry=3)
    app.broker.add_middlewares(Waits())
    async with app, app.worker():
        asked = await count.kiq()
        await inside.wait()
        await app.jobs.cancel(asked.task_id)
        assert (await sqlite.ended(asked.task_id)).status is JobStatus.CANCELLED
    assert runs == []


async def test_what_is_refused_is_not_sent(app: FrameworkM, heard: list[str]) -> None:
    count, _ = counted(app)
    app.broker.add_middlewares(Hears("it", heard))
    async with app:
        with pytest.raises(ArgumentError):
            await count.kiq(fail="perhaps")
    with pytest.raises(ConfigurationError, match="not open"):
        await count.kiq()
    assert heard == [], "pre_send would have begun what nobody ends"


@pytest.mark.parametrize("middleware", [SimpleRetryMiddleware(), SmartRetryMiddleware()])
async def test_those_that_try_again_by_themselves_are_refused(
    app: FrameworkM, middleware: TaskiqMiddleware
) -> None:
    app.broker.add_middlewares(middleware)
    with pytest.raises(ConfigurationError, match="retry=3"):
        async with app:
            pass
    assert not app.is_open
    app.broker.middlewares.clear()
    async with app:
        app.broker.add_middlewares(middleware)
        with pytest.raises(ConfigurationError, match="retry=3"):
            await app.run_worker(asyncio.Event())


class TestEvents:
    """Each role of a process is begun once, and ended once."""

    @pytest.fixture
    def heard(self, app: FrameworkM) -> list[str]:
        noted: list[str] = []
        for event in TaskiqEvents:

            def note(state: TaskiqState, event: TaskiqEvents = event) -> None:
                noted.append(event.value)

            app.broker.add_event_handler(event, note)
        return noted

    async def test_two_workers_in_a_process_are_one(
        self, app: FrameworkM, heard: list[str]
    ) -> None:
        for _ in range(2):
            async with app.worker(), app.worker():
                pass
            assert heard == ["WORKER_STARTUP", "WORKER_SHUTDOWN"]
            assert not app.broker.is_worker_process
            heard.clear()

    async def test_who_comes_while_the_last_one_ends_begins_anew(
        self, app: FrameworkM, heard: list[str]
    ) -> None:
        ending, may_end = asyncio.Event(), asyncio.Event()

        async def end_slowly(state: TaskiqState) -> None:
            ending.set()
            await may_end.wait()

        app.broker.event_handlers[TaskiqEvents.CLIENT_SHUTDOWN].insert(0, end_slowly)
        await app.broker.startup()
        leaves = asyncio.create_task(app.broker.shutdown())
        await ending.wait()
        come = [asyncio.create_task(app.broker.startup()) for _ in range(2)]
        await asyncio.sleep(0)  # they have taken their first step, up to where they wait
        may_end.set()
        await asyncio.gather(leaves, *come)
        assert heard == ["CLIENT_STARTUP", "CLIENT_SHUTDOWN", "CLIENT_STARTUP"]

    async def test_serving_is_asking(self, app: FrameworkM, heard: list[str]) -> None:
        async with app.serving():
            await app.broker.startup()  # as an application of taskiq's does
            assert heard == ["CLIENT_STARTUP"]
            await app.broker.shutdown()
        assert heard == ["CLIENT_STARTUP", "CLIENT_SHUTDOWN"]
        await app.broker.shutdown()
        assert heard == ["CLIENT_STARTUP", "CLIENT_SHUTDOWN"]

    async def test_a_worker_that_cannot_begin_says_why(self, app: FrameworkM) -> None:
        @app.broker.on_event(TaskiqEvents.WORKER_STARTUP)
        async def connect(state: TaskiqState) -> None:
            raise OSError("no such server")

        with pytest.raises(ConfigurationError, match="no such server"):
            await app.run_worker(asyncio.Event())
        assert not app.broker.is_worker_process
        with pytest.raises(ConfigurationError, match="no such server"):
            async with app.worker():
                raise AssertionError("a block would wait for jobs that nobody runs")

    async def test_what_fails_at_the_end_keeps_nothing_from_ending(
        self, app: FrameworkM, heard: list[str]
    ) -> None:
        async def fail(state: TaskiqState) -> None:
            raise OSError("gone")

        app.broker.event_handlers[TaskiqEvents.WORKER_SHUTDOWN].insert(0, fail)
        stop = asyncio.Event()
        app.broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, lambda state: stop.set())
        await app.run_worker(stop)
        assert heard == ["WORKER_STARTUP", "WORKER_SHUTDOWN"]


def test_backoff_of_functions_of_taskiqs_is_ours(app: FrameworkM) -> None:
    counted(app, retry=1)
    assert app.registry.get("counted").policy.backoff == Backoff()
