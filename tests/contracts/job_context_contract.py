"""What every backend promises a running job: what it knows, may use, and may say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Column, String, Table, select

from framework_m import FrameworkM, JobStatus, User, acting_as
from framework_m.core.causes import Cause, caused_by
from framework_m.core.errors import ArgumentError
from tests.support import context_jobs as jobs
from tests.support.harness import JOBS, Harness, until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class JobContextContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    async def app(self, harness: Harness) -> AsyncIterator[FrameworkM]:
        """An application of its own, with a worker, a DocType and a plain table."""
        app = harness.application((*JOBS, jobs.__name__))
        async with app:
            metadata = app.ports.tables.metadata
            Table("plain_rows", metadata, Column("title", String))
            async with app.ports.database.begin() as connection:
                await connection.run_sync(metadata.create_all)
            async with app.worker():
                yield app

    async def run(self, job: Any, *args: Any, **kwargs: Any) -> Any:
        return await (await job.enqueue(*args, **kwargs)).result(timeout=20)

    async def test_a_job_knows_what_it_is(self, app: FrameworkM) -> None:
        told = await self.run(jobs.tells_of_itself)
        job_id = told["job_id"]
        assert told == {
            "job_id": job_id,
            "job_name": "tells_of_itself",
            "queue": "default",
            "user": None,
            "roles": None,
            "parent": None,
            "correlation": job_id,
            "trace": None,
        }

    async def test_a_job_acts_for_who_enqueued_it(self, app: FrameworkM) -> None:
        with acting_as(User("ada", frozenset({"Clerk", "Auditor"}))):
            told = await self.run(jobs.tells_of_itself)
            kept = await self.run(jobs.keeps_customer, "Parcel")
        assert (told["user"], told["roles"]) == ("ada", "Auditor,Clerk")
        assert kept.endswith(" of ada")
        assert (await self.run(jobs.tells_of_itself))["user"] is None
        [job] = await app.jobs.list(user_id="ada", limit=1)
        assert job.user_roles == ("Auditor", "Clerk")

    async def test_children_know_their_parent_and_their_beginning(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        with acting_as("ada"), caused_by(Cause(trace_context=TRACE)):
            parent = await jobs.has_children.enqueue()
        children = await parent.result(timeout=20)
        assert len(set(children)) == 4
        for child in children:
            told = (await harness.ended(child)).result
            assert (told["parent"], told["correlation"]) == (parent, parent)
            assert (told["trace"], told["user"]) == (TRACE, "ada")
        family = await app.jobs.list(correlation_id=parent)
        assert {job.job_id for job in family} == {parent, *children}
        assert len(await app.jobs.list(parent_id=parent)) == 4

    async def test_documents_and_jobs_of_a_job_share_its_transaction(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        assert await self.run(jobs.keeps_customer, "Kept")
        failed = await harness.ended(await jobs.keeps_customer.enqueue("Lost", fail=True))
        assert failed.status is JobStatus.FAILED
        kept = await app.repository(jobs.Parcels).list()
        assert [parcel.title for parcel in kept] == ["Kept"]
        assert len(await app.jobs.list(job_name="tells_of_itself")) == 1

    async def test_a_session_commits_at_the_end_of_its_block(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        await self.run(jobs.writes_by_session, ["a", "b", "c"])
        assert await self.rows(app) == ["a", "b", "c"]
        added = await app.jobs.list(job_name="add")
        assert [(await harness.ended(job.job_id)).result for job in added] == [3, 2, 1]

    async def test_an_error_leaves_what_the_session_has_committed(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        await harness.ended(await jobs.writes_by_session.enqueue(["a", "b", "c"], fail=True))
        assert await self.rows(app) == ["a"]
        [job] = await app.jobs.list(job_name="add")
        assert job.args == {"a": 0}

    async def test_what_a_job_says_is_kept_with_it(self, app: FrameworkM, harness: Harness) -> None:
        handle = await jobs.talks.enqueue(2)
        job = await harness.ended(handle)
        assert (job.progress, job.progress_message) == (50.0, "half")
        lines = await app.jobs.lines(handle)
        assert [(line.level, line.message, line.logger) for line in lines] == [
            ("INFO", "from the context", None),
            ("WARNING", "from logging", "shop.stock"),
            ("WARNING", "from a callback", "shop"),
            ("INFO", "line 0", None),
            ("INFO", "line 1", None),
        ]
        assert [line.number for line in lines] == list(range(5))
        page = await app.jobs.lines(handle, limit=2, after=lines[1])
        assert page == lines[2:4]

    async def test_a_thread_may_say_something_too(self, app: FrameworkM) -> None:
        handle = await jobs.talks_in_a_thread.enqueue()
        assert (await handle.result(timeout=20)).startswith("job")
        lines = await app.jobs.lines(handle)
        assert [line.message for line in lines] == ["from a thread", "also from a thread"]
        assert (await handle.record()).progress == 50.0

    async def test_whatever_is_logged_can_be_kept(self, app: FrameworkM, harness: Harness) -> None:
        job = await harness.ended(await jobs.logs_strangely.enqueue())
        assert job.status is JobStatus.SUCCESS
        [line] = await app.jobs.lines(job.job_id)
        assert (line.logger, line.message) == ("shop\\x00\\udcff", "a\\x00b \\udcff")

    async def test_lines_are_seen_while_the_job_runs(
        self, app: FrameworkM, harness: Harness
    ) -> None:
        handle = await jobs.talks_and_waits.enqueue(harness.folder / "gate")

        async def look() -> bool:
            return bool(await app.jobs.lines(handle))

        await until(look)
        assert await handle.status() is JobStatus.RUNNING
        (harness.folder / "gate").touch()

    async def test_too_many_lines_end_with_one_that_says_so(self, harness: Harness) -> None:
        app = harness.application((*JOBS, jobs.__name__), job_log_lines=3)
        async with app, app.worker():
            handle = await jobs.talks.enqueue(10)
            await handle.result(timeout=20)
            lines = await app.jobs.lines(handle)
        assert len(lines) == 4
        assert lines[-1].message == "more than 3 lines: the others of this run are not kept"

    async def test_what_is_logged_outside_a_job_is_nobodys(self, harness: Harness) -> None:
        app = harness.application((*JOBS, jobs.__name__))
        async with app, app.worker():
            handle = await jobs.tells_of_itself.enqueue()
            await handle.result(timeout=20)
            assert await app.jobs.lines(handle) == []

    async def test_dependencies_are_no_arguments_and_know_their_own_run(
        self, app: FrameworkM
    ) -> None:
        handles = [await jobs.with_dependencies.enqueue(n) for n in range(20)]  # type: ignore[call-arg]
        for n, handle in enumerate(handles):
            assert await handle.result(timeout=20) == [str(n), handle, handle]
        with pytest.raises(ArgumentError, match="engine_id: is not an argument"):
            await app.enqueue("with_dependencies", n=1, engine_id="mine")

    async def test_a_document_is_an_argument_like_any_other(self, app: FrameworkM) -> None:
        saved = await app.repository(jobs.Parcels).save(jobs.Parcels(title="Big"))
        assert await self.run(jobs.takes_document, saved) == "Parcels Big"

    async def rows(self, app: FrameworkM) -> list[str]:
        table = app.ports.tables.metadata.tables["plain_rows"]
        return sorted(row.title for row in await app.ports.database.fetch(select(table)))
