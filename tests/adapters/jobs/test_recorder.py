"""Recording outcomes, when the database refuses one of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from framework_m import JobStatus
from framework_m.adapters.db.job_log_store import JobLogStore
from framework_m.adapters.jobs.completion import Recorder
from framework_m.core.interfaces.job_queue import Delivery
from framework_m.core.interfaces.job_store import ClaimTerms, FinishedRun, LogLine
from tests.contracts.job_store_contract import LEASE, line, success
from tests.support import jobs
from tests.support.harness import Harness


class Particular(JobLogStore):
    """The real store, on a database that takes no result of this text."""

    REFUSED = '"refuse me"'

    async def finish(self, runs: Sequence[FinishedRun]) -> frozenset[str]:
        if any(run.result == self.REFUSED for run in runs):
            raise ValueError("value too strange for this column")
        return await super().finish(runs)


@pytest.fixture
def harness(sqlite: Harness) -> Harness:
    return sqlite


async def test_an_outcome_that_is_refused_spoils_no_other(harness: Harness) -> None:
    ports = harness.app.ports
    recorder = Recorder(Particular(ports.database), ports.job_queue, ports.relay)
    for n in range(3):
        await jobs.add.enqueue(n)
    claims = await ports.job_store.claim_due(ClaimTerms("me", ("default",), LEASE), 3)
    runs = [success(claim) for claim in claims]
    runs[1] = replace(runs[1], result=Particular.REFUSED)

    recorder.start()
    finished = [recorder.finish(run, Delivery(c)) for run, c in zip(runs, claims, strict=True)]
    assert [await done for done in finished] == [True, True, True]
    await recorder.close()

    records = [await harness.record(claim.job_id) for claim in claims]
    assert [job.status for job in records] == ["Success", "Failed", "Success"]
    assert records[1].error == "the outcome (Success) could not be recorded: ValueError"


async def test_lines_that_are_refused_keep_no_outcome(harness: Harness) -> None:
    class Deaf(JobLogStore):
        async def say(self, lines: Sequence[LogLine]) -> None:
            raise ValueError("lines too strange for this table")

    ports = harness.app.ports
    await jobs.add.enqueue(1)
    [claim] = await ports.job_store.claim_due(ClaimTerms("me", ("default",), LEASE), 1)
    recorder = Recorder(Deaf(ports.database), ports.job_queue, ports.relay)
    recorder.start()
    recorder.say(line(claim, 0, "a"))
    assert await recorder.finish(success(claim), Delivery(claim)) is True
    await recorder.close()
    assert (await harness.record(claim.job_id)).status is JobStatus.SUCCESS


async def test_an_outcome_under_a_lost_claim_is_not_kept(harness: Harness) -> None:
    ports = harness.app.ports
    await jobs.add.enqueue(1)
    [claim] = await ports.job_store.claim_due(ClaimTerms("me", ("default",), LEASE), 1)
    await ports.job_store.release([claim])
    recorder = Recorder(ports.job_store, ports.job_queue, ports.relay)
    recorder.start()
    assert await recorder.finish(success(claim), Delivery(claim)) is False
    await recorder.close()
    assert (await harness.record(claim.job_id)).status is JobStatus.QUEUED
