"""What a worker and its processes say to each other: JSON, each message after its length."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from framework_m.core.causes import Cause
from framework_m.core.identity import User
from framework_m.core.interfaces.job_store import Claim, FinishedRun, LogLine, ProgressReport
from framework_m.core.jobs.states import JobStatus

if TYPE_CHECKING:
    import asyncio
    import socket

_LENGTH = struct.Struct(">Q")

Message = dict[str, Any]


def framed(message: Message) -> bytes:
    text = json.dumps(message, default=_plain).encode()
    return _LENGTH.pack(len(text)) + text


async def next_message(reader: asyncio.StreamReader) -> Message:
    """Raises EOFError, OSError, ValueError."""
    [length] = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    found: Message = json.loads(await reader.readexactly(length))
    return found


def receive(connection: socket.socket) -> Message:
    """The same where waiting may block. Raises EOFError, OSError."""
    [length] = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    found: Message = json.loads(_exactly(connection, length))
    return found


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(data)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case frozenset():
            return sorted(value)
    raise TypeError(f"{value!r} cannot be sent to another process")


def claim_message(claim: Claim) -> Message:
    return {"claim": asdict(claim)}


def claim_from(message: Message) -> Claim:
    values = message["claim"]
    user = values["user"]
    return Claim(
        **{
            **values,
            "enqueued_at": datetime.fromisoformat(values["enqueued_at"]),
            "started_at": datetime.fromisoformat(values["started_at"]),
            "user": None if user is None else User(user["id"], frozenset(user["roles"])),
            "cause": Cause(**values["cause"]),
            "gates": tuple(values["gates"]),
        }
    )


def outcome_message(run: FinishedRun) -> Message:
    return {"outcome": asdict(run)}


def outcome_from(message: Message, claim: Claim) -> FinishedRun:
    """Of the run with this claim, whatever the process says it was."""
    values, wait = message["outcome"], message["outcome"]["retry_after"]
    return FinishedRun(
        **{
            **values,
            "job_id": claim.job_id,
            "claim_no": claim.claim_no,
            "status": JobStatus(values["status"]),
            "retry_after": None if wait is None else timedelta(seconds=wait),
            "gates": tuple(values["gates"]),
        }
    )


def line_message(line: LogLine) -> Message:
    return {"line": asdict(line)}


def line_from(message: Message) -> LogLine:
    values = message["line"]
    return LogLine(**{**values, "at": datetime.fromisoformat(values["at"])})


def report_message(report: ProgressReport) -> Message:
    return {"report": asdict(report)}


def report_from(message: Message) -> ProgressReport:
    return ProgressReport(**message["report"])
