"""Queue: the record that pauses and limits a queue; QueueInfo: how a queue stands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from framework_m.core.doctypes.base import DocType

_LONGEST_NAME = 64
_LARGEST = 1_000_000


class Queue(DocType):
    """What is special about a queue; its name is the document's.

        await app.repository(Queue).save(Queue(name="reports", paused=True))

    A queue without such a record is not paused and has no limit. Saving, changing or deleting one
    takes effect in every process within about a second.
    """

    # As core.jobs.options.is_queue_name has it.
    name: str = Field(
        "",
        max_length=_LONGEST_NAME,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The queue's: letters, digits, _ and -.",
    )
    paused: bool = Field(False, description="Whether its jobs wait. Those that run go on.")
    concurrency: int | None = Field(
        None,
        ge=1,
        le=_LARGEST,
        description="Most of its jobs that run at once, over all workers; null is any number.",
    )
    description: str | None = Field(None, max_length=1000, description="For people.")

    class Meta:
        table = "job_queue"
        naming = "given"
        api_resource = True
        indexes = ("paused",)
        list_columns = ("name", "paused", "concurrency")


class QueueInfo(BaseModel):
    """How a queue stands. Counts are of jobs."""

    model_config = ConfigDict(frozen=True)

    name: str
    paused: bool = False
    concurrency: int | None = Field(None, description="Most that run at once; null is any number.")
    waiting: int = Field(0, description="Ready to run now.")
    scheduled: int = Field(0, description="Waiting for their time, retries among them.")
    blocked: int = Field(0, description="Waiting for something else than their time.")
    running: int = 0
    finished_per_minute: int = Field(0, description="Ended in the last minute, in any way.")
    failed_per_minute: int = Field(0, description="Those of them that are Failed.")
    oldest_waiting_seconds: float | None = Field(
        None, description="How long the oldest that is ready has been so; null if none is."
    )
