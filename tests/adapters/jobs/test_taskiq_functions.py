"""Functions that were written for taskiq are jobs of ours."""

import asyncio
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from taskiq import (
    AsyncTaskiqTask,
    Context,
    InMemoryBroker,
    SendTaskError,
    TaskiqDepends,
    TaskiqResult,
    TaskiqState,
    async_shared_broker,
)
from taskiq.depends.progress_tracker import ProgressTracker
from taskiq.exceptions import NoResultError, ResultGetError, ResultIsReadyError

from framework_m import FrameworkM, JobContext, JobStatus, Settings, acting_as, job
from framework_m.adapters.jobs.broker import JobBroker
from framework_m.cli.local import run_here
from framework_m.core.errors import (
    ArgumentError,
    ConfigurationError,
    DuplicateJobError,
    JobExistsError,
    JobFailedError,
    JobNotEndedError,
    UnknownJobError,
)
from framework_m.settings import Backend
from tests.support.harness import Harness

Declare = Callable[[str, FrameworkM], None]
"""Declares what a module is to hold."""


@pytest.fixture
def app(sqlite: Harness) -> FrameworkM:
    return sqlite.application(modules=[])


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An empty module, which applications can name."""
    made = ModuleType(f"made_{uuid.uuid4().hex}")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


async def result_of(asked: AsyncTaskiqTask[Any]) -> TaskiqResult[Any]:
    return await asked.wait_result(check_interval=0.01, timeout=20)


async def ask(function: Any, *args: Any) -> AsyncTaskiqTask[Any]:
    """As `function.kiq(…)`: to a type checker, what is injected is an argument like any other."""
    asked: AsyncTaskiqTask[Any] = await function.kiq(*args)
    return asked


@dataclass
class Point:
    x: int


class Money(BaseModel):
    amount: Decimal


class TestRunning:
    """As taskiq's own: asked for, run, and their results waited for."""

    async def test_coroutines_and_plain_functions_run(self, app: FrameworkM) -> None:
        @app.broker.task
        async def twice(n: int) -> int:
            return 2 * n

        @app.broker.task()
        def shouted(text: str) -> str:
            return text.upper()

        async with app, app.worker():
            assert (await result_of(await twice.kiq(21))).return_value == 42
            assert (await result_of(await shouted.kiq(text="hey"))).return_value == "HEY"
        assert await twice(4) == 8, "and can still be called"

    async def test_arguments_and_results_keep_their_types(self, app: FrameworkM) -> None:
        seen: list[object] = []

        @app.broker.task
        async def typed(money: Money, moment: datetime, point: Point, raw: bytes) -> Money:
            seen.extend((money, moment, point, raw))
            return Money(amount=money.amount * 2)

        given = (Money(amount=Decimal("1.10")), datetime.now(UTC), Point(3), b"\xff\x00")
        async with app, app.worker():
            result = await result_of(await typed.kiq(*given))
        assert tuple(seen) == given
        assert result.return_value == Money(amount=Decimal("2.20"))
        assert not result.is_err
        assert result.error is None

    async def test_dependencies_context_and_state_are_given(self, app: FrameworkM) -> None:
        app.broker.state.start = 40
        app.broker.add_dependency_context({str: "given"})

        @app.broker.task(tint="blue")
        async def injected(
            context: Annotated[Context, TaskiqDepends()],
            state: Annotated[TaskiqState, TaskiqDepends()],
            own: Annotated[JobContext, TaskiqDepends()],
            word: Annotated[str, TaskiqDepends()],
            n: int = 2,
        ) -> list[object]:
            assert context.message.task_id == own.job_id
            assert context.message.labels["tint"] == "blue"
            return [state.start + n, word, context.message.task_name]

        async with app, app.worker():
            result = await result_of(await ask(injected))
        assert result.return_value == [42, "given", injected.task_name]

    async def test_dependencies_can_be_overridden(self, app: FrameworkM) -> None:
        def real() -> str:
            return "real"

        @app.broker.task
        async def depends(found: Annotated[str, TaskiqDepends(real)]) -> str:
            return found

        app.broker.dependency_overrides[real] = lambda: "for tests"
        async with app, app.worker():
            assert (await result_of(await ask(depends))).return_value == "for tests"

    async def test_a_function_that_uses_our_context_as_jobs_do(self, app: FrameworkM) -> None:
        @app.broker.task
        async def with_context(ctx: JobContext, n: int) -> str:
            return f"{ctx.user_id} {ctx.attempt} {n}"

        async with app, app.worker():
            with acting_as("ada"):
                asked = await ask(with_context, 1)
            assert (await result_of(asked)).return_value == "ada 1 1"

    async def test_they_are_there_on_every_backend(self, every_backend: Harness) -> None:
        app = every_backend.application(modules=[])

        @app.broker.task(name="shared_out", retry=1, queue="other", priority=1)
        async def shared_out(context: Annotated[Context, TaskiqDepends()]) -> int:
            if "_retries" not in context.message.labels:
                raise OSError("passing")
            return int(context.message.labels["_retries"])

        async with app, app.worker():
            asked = await ask(shared_out)
            record = (await app.jobs.get(asked.task_id)) or pytest.fail("no record")
            assert (record.job_name, record.queue, record.priority) == ("shared_out", "other", 1)
            assert (await result_of(asked)).return_value == 1


class TestFinding:
    """In the application's modules, and on its broker."""

    async def test_those_of_other_brokers_in_its_modules_are_jobs(
        self, app: FrameworkM, sqlite: Harness, module: ModuleType
    ) -> None:
        other = InMemoryBroker()

        @other.task(name="from_elsewhere", retry=2)
        async def from_elsewhere(n: int) -> int:
            return n + 1

        module.from_elsewhere = from_elsewhere  # type: ignore[attr-defined]
        app = sqlite.application(modules=[module.__name__])
        assert app.registry.get("from_elsewhere").max_attempts == 3
        place = app.registry.get("from_elsewhere").function.place
        assert "original" not in place
        async with app, app.worker():
            handle = await app.enqueue("from_elsewhere", n=1)
            assert await handle.result(timeout=20) == 2
            ours = app.broker.find_task("from_elsewhere")
            assert ours is not None
            assert (await result_of(await ours.kiq(2))).return_value == 3

    async def test_shared_functions_are_jobs(self, sqlite: Harness, module: ModuleType) -> None:
        @async_shared_broker.task(task_name=f"{module.__name__}:shared")
        async def shared(n: int) -> int:
            return n * 3

        module.shared = shared  # type: ignore[attr-defined]
        app = sqlite.application(modules=[module.__name__])
        try:
            async_shared_broker.default_broker(app.broker)
            async with app, app.worker():
                assert (await result_of(await shared.kiq(2))).return_value == 6
                with pytest.raises(SendTaskError) as refused:
                    await shared.kiq("many")  # type: ignore[call-overload]
            assert isinstance(refused.value.__cause__, ArgumentError)
        finally:
            async_shared_broker.default_broker(None)  # type: ignore[arg-type]
            del async_shared_broker.global_task_registry[shared.task_name]

    async def test_one_declared_after_the_application_has_opened(self, app: FrameworkM) -> None:
        async with app, app.worker():

            @app.broker.task(name="latecomer")
            async def latecomer(word: Annotated[str, TaskiqDepends(lambda: "time")]) -> str:
                return f"in {word}"

            assert (await result_of(await ask(latecomer))).return_value == "in time"
            handle = await app.jobs.function("latecomer").options(delay=0.01).enqueue()
            assert await handle.result(timeout=20) == "in time"

    async def test_names_that_clash_are_refused(self, sqlite: Harness, module: ModuleType) -> None:
        @job(name="same")
        async def ours() -> None: ...

        module.ours = ours  # type: ignore[attr-defined]
        app = sqlite.application(modules=[module.__name__])

        @app.broker.task(name="same")
        async def theirs() -> None: ...

        with pytest.raises(DuplicateJobError) as refused:
            _ = app.registry
        assert "ours" in str(refused.value)
        assert "theirs" in str(refused.value)

    async def test_two_of_one_name_on_the_broker_are_refused(self, app: FrameworkM) -> None:
        for _ in range(2):

            @app.broker.task("twice")
            async def declared() -> None: ...

        with pytest.raises(DuplicateJobError):
            _ = app.registry

    async def test_jobs_are_found_by_the_broker(self, sqlite: Harness) -> None:
        app = sqlite.application()
        async with app, app.worker():
            add = app.broker.find_task("add")
            assert add is not None
            assert (await result_of(await add.kiq(1, b=5))).return_value == 6
        assert app.broker.find_task("no such") is None

    async def test_it_can_be_called_here_and_now(self, app: FrameworkM) -> None:
        @app.broker.task(name="called")
        async def called(
            ctx: JobContext, n: int, context: Annotated[Context, TaskiqDepends()]
        ) -> str:
            assert context.message.task_id == ctx.job_id
            return f"{context.message.task_name} {n}"

        async with app:
            assert await run_here(app, app.registry.get("called"), {"n": 1}) == "called 1"

    async def test_one_whose_name_is_taken_is_not_declared(self, app: FrameworkM) -> None:
        @app.broker.task(name="taken")
        async def first() -> str:
            return "first"

        async with app, app.worker():
            with pytest.raises(DuplicateJobError):

                @app.broker.task(name="taken")
                async def second() -> None: ...

            assert (await result_of(await first.kiq())).return_value == "first"
            assert app.broker.find_task("taken") is first

    async def test_a_function_that_a_worker_does_not_know_is_parked(
        self, sqlite: Harness, app: FrameworkM
    ) -> None:
        @app.broker.task(name="new_one")
        async def new_one() -> str:
            return "run"

        old = sqlite.application(modules=["tests.support.other_jobs"])
        async with app:
            asked = await new_one.kiq()
            async with old.worker(["default"]):
                await sqlite.reached(asked.task_id, JobStatus.SCHEDULED)
            async with app.worker():
                assert (await result_of(asked)).return_value == "run"


class TestAsking:
    """`kiq` is `enqueue`: it joins the transaction, and refuses what cannot be run."""

    async def test_it_joins_the_transaction(self, app: FrameworkM) -> None:
        @app.broker.task
        async def asked_for() -> None: ...

        async with app:
            with pytest.raises(ZeroDivisionError):
                async with app.transaction():
                    await asked_for.kiq()
                    raise ZeroDivisionError
            assert await app.jobs.list() == []
            async with app.transaction():
                kept = await asked_for.kiq()
            assert [it.job_id for it in await app.jobs.list()] == [kept.task_id]

    async def test_labels_and_id_of_one_run(self, app: FrameworkM) -> None:
        @app.broker.task(queue="mail", priority=3, retry=5, delay=30)
        async def labelled() -> None: ...

        chosen = str(uuid.uuid4())
        async with app:
            await (
                labelled.kicker()
                .with_labels(queue="fast", priority=1, delay="60", retry="false")
                .with_task_id(chosen)
                .kiq()
            )
            [record] = await app.jobs.list()
            plain = await labelled.kiq()
            own = (await app.jobs.get(plain.task_id)) or pytest.fail("no record")
        assert record.job_id == chosen
        assert (record.queue, record.priority, record.max_attempts) == ("fast", 1, 1)
        assert (record.scheduled_at - record.enqueued_at).total_seconds() == pytest.approx(60)
        assert (own.queue, own.priority, own.max_attempts) == ("mail", 3, 6)
        assert (own.scheduled_at - own.enqueued_at).total_seconds() == pytest.approx(30)
        assert own.status is JobStatus.SCHEDULED

    async def test_labels_that_are_none_say_nothing(self, app: FrameworkM) -> None:
        @app.broker.task(queue="mail")
        async def labelled() -> None: ...

        nothing: Any = {"queue": None, "delay": None}
        async with app:
            await labelled.kicker().with_labels(**nothing).kiq()
            [record] = await app.jobs.list()
        assert (record.queue, record.status) == ("mail", JobStatus.QUEUED)

    @pytest.mark.parametrize(
        ("labels", "field"),
        [
            ({"queue": "no such queue"}, "queue"),
            ({"priority": 9}, "priority"),
            ({"retry": -1}, "retry"),
            ({"delay": "soon"}, "delay"),
            ({"delay": float("inf")}, "delay"),
            ({"timeout": 7}, "timeout"),
        ],
    )
    async def test_labels_that_make_no_sense(self, labels: dict[str, Any], field: str) -> None:
        app = FrameworkM()  # its database is never asked

        @app.broker.task(timeout=5)
        async def labelled() -> None: ...

        async with app:
            with pytest.raises(ArgumentError) as refused:
                await labelled.kicker().with_labels(**labels).kiq()
        assert [error.field for error in refused.value.errors] == [field]

    async def test_arguments_and_ids_that_do_not_fit(self, app: FrameworkM) -> None:
        @app.broker.task
        async def typed(n: int) -> None: ...

        async with app:
            with pytest.raises(ArgumentError, match="n: "):
                await ask(typed, "many")
            with pytest.raises(ArgumentError, match="task_id: must be a UUID"):
                await typed.kicker().with_task_id("mine").kiq(1)
            first = await typed.kiq(1)
            with pytest.raises(JobExistsError, match=first.task_id):
                await typed.kicker().with_task_id(first.task_id).kiq(1)
            assert len(await app.jobs.list()) == 1

    async def test_an_id_that_is_taken_on_postgresql(self, postgresql: Harness) -> None:
        app = postgresql.application(modules=[])

        @app.broker.task
        async def simple() -> None: ...

        async with app:
            first = await simple.kiq()
            with pytest.raises(JobExistsError):
                await simple.kicker().with_task_id(first.task_id).kiq()

    async def test_a_function_of_nobody(self, app: FrameworkM) -> None:
        @async_shared_broker.task(task_name="of_nobody")
        async def of_nobody() -> None: ...

        try:
            async with app:
                with pytest.raises(SendTaskError) as refused:
                    await of_nobody.kicker().with_broker(app.broker).kiq()
                assert isinstance(refused.value.__cause__, UnknownJobError)
        finally:
            del async_shared_broker.global_task_registry["of_nobody"]

    async def test_closed_and_opened_again(self, app: FrameworkM) -> None:
        @app.broker.task
        async def twice(n: int) -> int:
            return 2 * n

        for _ in range(2):
            with pytest.raises(ConfigurationError, match="not open"):
                await twice.kiq(1)
            async with app, app.worker():
                assert (await result_of(await twice.kiq(2))).return_value == 4

    async def test_two_applications_have_a_broker_each(self, sqlite: Harness) -> None:
        apps = [sqlite.application(modules=[]) for _ in range(2)]
        declared = []
        for number, each in enumerate(apps):

            @each.broker.task(name=f"of_{number}")
            async def own() -> str:
                return "done"

            declared.append(own)
        assert apps[0].registry.find("of_1") is apps[1].registry.find("of_0") is None
        async with apps[0], apps[1], apps[0].worker():
            assert (await result_of(await declared[0].kiq())).return_value == "done"
            with pytest.raises(UnknownJobError):
                await apps[1].enqueue("of_0")

    async def test_another_broker_can_still_be_named(self, app: FrameworkM) -> None:
        other = InMemoryBroker(await_inplace=True)

        async def here_and_there(n: int) -> int:
            return n + 1

        ours = app.broker.register_task(here_and_there, task_name="here_and_there")
        other.register_task(here_and_there, task_name="here_and_there")
        asked = await ours.kicker().with_broker(other).kiq(1)
        assert (await asked.wait_result(timeout=20)).return_value == 2


class TestEnding:
    """Results, errors, and what a function may ask of taskiq."""

    async def test_errors_are_told_and_not_retried_by_default(self, app: FrameworkM) -> None:
        runs: list[int] = []

        @app.broker.task
        async def fails() -> None:
            runs.append(1)
            raise ValueError("no luck")

        async with app, app.worker():
            asked = await fails.kiq()
            result = await result_of(asked)
        assert result.is_err
        assert isinstance(result.error, JobFailedError)
        assert result.error.error == "ValueError: no luck"
        assert result.return_value is None
        assert runs == [1]
        with pytest.raises(JobFailedError, match="no luck"):
            result.raise_for_error()

    async def test_a_result_that_is_not_there(self, app: FrameworkM) -> None:
        @app.broker.task
        async def waits() -> None: ...

        async with app:
            asked = await waits.kiq()
            assert not await asked.is_ready()
            with pytest.raises(ResultGetError) as early:
                await asked.get_result()
            assert isinstance(early.value.__cause__, JobNotEndedError)
            await app.jobs.delete(asked.task_id)
            with pytest.raises(ResultIsReadyError):
                await asked.wait_result(timeout=20)

    async def test_logs_come_with_the_result(self, app: FrameworkM) -> None:
        @app.broker.task
        async def talks(ctx: JobContext) -> None:
            await ctx.log("half way")

        async with app, app.worker():
            asked = await ask(talks)
            await result_of(asked)
            assert (await asked.get_result(with_logs=True)).log == "INFO half way"

    async def test_progress(self, app: FrameworkM) -> None:
        @app.broker.task
        async def progresses(tracker: Annotated[ProgressTracker[Any], TaskiqDepends()]) -> None:
            await tracker.set_progress("HALF", {"percent": 50, "file": "b"})

        async with app, app.worker():
            asked = await ask(progresses)
            await result_of(asked)
            found = await asked.get_progress()
            record = (await app.jobs.get(asked.task_id)) or pytest.fail("no record")
        assert found is not None
        assert (found.state, found.meta) == ("SUCCESS", {"percent": 50, "file": "b"})
        assert record.progress == 50

    async def test_requeue_runs_it_again_as_the_same_job(self, app: FrameworkM) -> None:
        seen: list[str] = []

        @app.broker.task
        async def again(context: Annotated[Context, TaskiqDepends()]) -> int:
            seen.append(context.message.task_id)
            if len(seen) < 3:
                await context.requeue()
            return len(seen)

        async with app, app.worker():
            asked = await ask(again)
            assert (await result_of(asked)).return_value == 3
            [record] = await app.jobs.list()
        assert seen == [asked.task_id] * 3
        assert record.attempt == 1, "it spends no attempt"

    async def test_reject_gives_up(self, app: FrameworkM) -> None:
        runs: list[int] = []

        @app.broker.task(retry=5)
        async def refuses(context: Annotated[Context, TaskiqDepends()]) -> None:
            runs.append(1)
            context.reject()

        async with app, app.worker():
            result = await result_of(await ask(refuses))
        assert "rejected" in str(result.error)
        assert runs == [1]

    async def test_no_result_is_success_without_one(self, app: FrameworkM) -> None:
        @app.broker.task
        async def silent() -> int:
            raise NoResultError

        async with app, app.worker():
            asked = await silent.kiq()
            result = await result_of(asked)
        assert (result.is_err, result.return_value) == (False, None)

    async def test_a_timeout_label_is_kept_once(self, app: FrameworkM) -> None:
        @app.broker.task(timeout=0.05)
        async def hangs(never: Annotated[Context, TaskiqDepends()]) -> None:
            await never.broker.state.never.wait()

        app.broker.state.never = asyncio.Event()
        async with app, app.worker():
            result = await result_of(await ask(hangs))
        assert "JobTimeoutError" in str(result.error)


def test_the_broker_is_there_before_the_application_is_open() -> None:
    app = FrameworkM(settings=Settings(backend=Backend.MEMORY))
    assert isinstance(app.broker, JobBroker)
    assert app.broker is app.broker


def test_a_result_backend_is_refused() -> None:
    from taskiq.result_backends.dummy import DummyResultBackend

    app = FrameworkM()
    with pytest.raises(ConfigurationError, match="takes no result backend"):
        app.broker.with_result_backend(DummyResultBackend())
    app.broker.result_backend = DummyResultBackend()
    with pytest.raises(ConfigurationError, match="takes no result backend"):
        app.broker.require_fit()
