"""What `@on` handlers, repositories and jobs do with events, on every backend."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framework_m import (
    BaseEvent,
    DocCancelled,
    DocCreated,
    DocDeleted,
    DocSubmitted,
    DocUpdated,
    FrameworkM,
    JobFailed,
    JobSucceeded,
    acting_as,
)
from framework_m.core.events.envelope import read
from tests.support.events import Customer, Heard, Note, Silent
from tests.support.harness import JOBS, Harness, until

MODULES = ("tests.support.events", *JOBS)


def note(log: Path, word: str, document: str | None = None) -> BaseEvent:
    return BaseEvent(
        event_type="test.note",
        doctype=document and "Doc",
        doc_id=document,
        data={"log": str(log), "word": word},
    )


class EventHandlersContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    async def app(self, harness: Harness) -> AsyncIterator[FrameworkM]:
        app = harness.application(MODULES, secret_key="only for tests, but long")
        async with app:
            async with app.ports.database.begin() as connection:
                await connection.run_sync(app.ports.tables.metadata.create_all)
            yield app

    @pytest.fixture
    async def heard(self, app: FrameworkM) -> Heard:
        """Hears of every document and job."""
        heard = Heard()
        await app.events.subscribe("*.*", heard, group="everything", ordered=True)
        return heard

    async def test_handlers_of_groups_run_in_workers(
        self, app: FrameworkM, harness: Harness, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        await app.publish(note(log, "before any worker"))
        async with app.worker():
            await app.publish(note(log, "after"))
            assert sorted(await harness.lines(log, 2)) == ["after", "before any worker"]

    async def test_handlers_in_order_keep_it(
        self, app: FrameworkM, harness: Harness, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        async with app.worker():
            for n in range(5):
                await app.events.publish_many([note(log, str(n), d) for d in ("a", "b")])
            lines = await harness.lines(Path(f"{log}.ordered"), 10)
        for document in ("a", "b"):
            found = [line for line in lines if line.startswith(f"{document}:")]
            assert found == [f"{document}:{n}" for n in range(5)]

    async def test_handlers_without_a_group_run_wherever_the_application_is_served(
        self, app: FrameworkM, harness: Harness, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        async with app.serving():
            live = BaseEvent(event_type="test.live", data={"log": str(log), "word": "web"})
            await app.publish(live)
            await harness.lines(log, 1)
            async with app.worker():  # the same process: it hears once, not twice
                again = BaseEvent(event_type="test.live", data={"log": str(log), "word": "both"})
                await app.publish(again)
                assert await harness.lines(log, 2) == ["web", "both"]

    async def test_a_handler_gets_its_type_its_doctype_and_its_user(
        self, app: FrameworkM, harness: Harness, tmp_path: Path
    ) -> None:
        name = str(tmp_path / "log")
        async with app.worker():
            with acting_as("ada"):
                await app.repository(Silent).save(Silent(name=name))
                await app.repository(Customer).save(Customer(name=name))
                await app.repository(Note).save(Note(name=name))
            assert await harness.lines(Path(name), 1) == ["doc.created ada ada"]

    async def test_what_does_not_fit_a_handlers_type_is_a_dead_letter_at_once(
        self, app: FrameworkM
    ) -> None:
        async with app.worker():
            await app.publish(BaseEvent(event_type="test.plain", data={"number": "x"}))
            [letter] = await until(app.events.dead)
        assert (letter.group, letter.attempts) == ("typed-plain_function", 1)
        assert letter.error.startswith("UndecodableEventError: is no Plain: number:")

    async def test_exactly_once_commits_the_writes_of_one_attempt_only(
        self, app: FrameworkM
    ) -> None:
        once = BaseEvent(event_type="test.once", doctype="Doc", doc_id="n", data={"fails": 1})
        async with app.worker():
            await app.publish(once)

            async def saved() -> list[str]:
                return [found.name for found in await app.repository(Note).list()]

            assert await until(saved) == ["n-2"]

    async def test_exactly_once_knows_an_event_again(self, app: FrameworkM) -> None:
        """As after a crash between the commit and the acknowledgement."""
        inbox = app.ports.handlers.inbox
        done = BaseEvent(event_type="test.once", doctype="Doc", doc_id="done")
        fresh = BaseEvent(event_type="test.once", doctype="Doc", doc_id="fresh")
        async with app.transaction() as tx:
            assert await inbox.mark(tx.unit, "once-save_once", done.id)
        async with app.worker():
            await app.events.publish_many([done, fresh])

            async def settled() -> bool:
                return (await app.events.bus.lag())["once-save_once"] == 0

            await until(lambda: app.repository(Note).exists("fresh-1"))
            await until(settled)
        assert not await app.repository(Note).exists("done-1")

    async def test_every_change_of_a_document_is_published_in_order(
        self, app: FrameworkM, heard: Heard
    ) -> None:
        notes = app.repository(Note)
        with acting_as("ada"):
            saved = await notes.save(Note(name="n", text="a"))
            saved.text = "b"
            await notes.save(saved)
            await notes.submit(saved)
            await notes.cancel(saved)
            await notes.delete(saved)
        await heard.count(5)
        created, updated, submitted, cancelled, deleted = (r.message for r in heard.received)
        assert read(created, DocCreated).user_id == "ada"
        assert read(updated, DocUpdated).changed == ("text",)
        assert read(submitted, DocSubmitted).data == {"text": "b"}
        assert read(cancelled, DocCancelled).event_type == "doc.cancelled"
        assert read(deleted, DocDeleted).doc_id == "n"
        assert {received.message.key for received in heard.received} == {"Note/n"}

    async def test_bulk_inserts_and_deletes_by_name_are_published(
        self, app: FrameworkM, heard: Heard
    ) -> None:
        notes = app.repository(Note)
        await notes.insert_many([Note(name=str(n)) for n in range(20)])
        await notes.delete("3")
        await heard.count(21)
        found = [(r.message.topic, r.message.key) for r in heard.received]
        assert found.count(("doc.deleted", "Note/3")) == 1
        assert {key for topic, key in found if topic == "doc.created"} == {
            f"Note/{n}" for n in range(20)
        }

    async def test_a_change_that_rolls_back_is_not_published(
        self, app: FrameworkM, heard: Heard
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            async with app.transaction() as tx:
                await tx.repository(Note).save(Note(name="gone"))
                raise ZeroDivisionError
        await app.repository(Note).save(Note(name="kept"))
        await heard.count(1)
        assert [r.message.key for r in heard.received] == ["Note/kept"]

    async def test_a_doctype_may_opt_out_and_tells_no_secrets(
        self, app: FrameworkM, heard: Heard
    ) -> None:
        await app.repository(Silent).save(Silent(name="s"))
        await app.repository(Customer).save(Customer.model_validate({"name": "c", "token": "x"}))
        await heard.count(1)
        [received] = heard.received
        assert read(received.message, DocCreated).data == {"title": ""}

    async def test_a_job_that_ended_is_published(self, app: FrameworkM, heard: Heard) -> None:
        async with app.worker():
            good, bad = await app.enqueue("add", a=1), await app.enqueue("boom")
            await heard.count(2)
        by_topic = {r.message.topic: r.message for r in heard.received}
        succeeded = read(by_topic["job.succeeded"], JobSucceeded)
        assert (succeeded.job_id, succeeded.job_name, succeeded.attempt) == (good, "add", 1)
        failed = read(by_topic["job.failed"], JobFailed)
        assert (failed.job_id, failed.error) == (bad, "ValueError: no luck")

    async def test_jobs_publish_too(self, app: FrameworkM, harness: Harness) -> None:
        heard = Heard()
        await app.events.subscribe("test.from_job", heard, group="g")
        async with app.worker():
            await app.enqueue("publishes", n=7)
            await heard.count(1)
        assert read(heard.received[0].message, BaseEvent).data == {"n": 7}

    async def test_counters_tell_what_happened(self, app: FrameworkM, heard: Heard) -> None:
        await app.publish(BaseEvent(event_type="test.counted"))
        await heard.count(1)
        await until(lambda: _counted(app, "delivered", "everything"))
        counts = app.ports.metrics.snapshot()
        assert sum(n for (name, _), n in counts.items() if name == "published") >= 1


async def _counted(app: FrameworkM, name: str, label: str) -> bool:
    await asyncio.sleep(0)
    return app.ports.metrics.value(name, label) >= 1
