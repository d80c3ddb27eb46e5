"""m event:tail, m event:dead, m event:groups."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import (
    DONE,
    CommandFailedError,
    UsageError,
    run,
    say,
    say_json,
    say_table,
)
from framework_m.cli.loading import AppOption, load
from framework_m.cli.options import Json
from framework_m.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.interfaces.event_bus import ReceivedEvent
    from framework_m.core.interfaces.event_store import DeadLetter

_PAGE = 500


def event_tail(
    topic: Annotated[str, Parameter(help="A topic, or a pattern of topics: doc.* or >.")] = ">",
    *,
    count: Annotated[int | None, Parameter(help="End after so many.")] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Follow events as they happen, until SIGINT."""
    return run(_tail(load(app), topic, count, as_json))


def event_dead(
    *,
    redrive: Annotated[str | None, Parameter(help="Give this one to its group once more.")] = None,
    every: Annotated[
        bool, Parameter(name="--all", negative=(), help="Give all of them to their groups.")
    ] = False,
    group: Annotated[str | None, Parameter(help="Only those of this group.")] = None,
    limit: Annotated[int, Parameter(help="How many to list.")] = 20,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """List the events that no retry could save, or re-drive them."""
    if redrive is not None and every:
        raise UsageError("--redrive names one, --all means all: use either")
    return run(_dead(load(app), redrive, every, group, limit, as_json))


def event_groups(
    *,
    forget: Annotated[
        str | None, Parameter(help="Let go of this one, and of what waits for it.")
    ] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """List the durable groups and how many events each has still to handle."""
    return run(_groups(load(app), forget, as_json))


async def _groups(app: FrameworkM, forget: str | None, as_json: bool) -> int:
    async with app:
        await app.ports.require_schema()
        if forget is not None and not await app.events.forget_group(forget):
            raise CommandFailedError(f"there is no group {forget!r}; `m event:groups` lists them")
        found = await app.events.groups()
    if as_json:
        say_json([{"group": name, "waiting": waiting} for name, waiting in sorted(found.items())])
    else:
        say_table(("GROUP", "WAITING"), [(name, str(n)) for name, n in sorted(found.items())])
    return DONE


async def _tail(app: FrameworkM, topic: str, count: int | None, as_json: bool) -> int:
    stop = stop_on_signals()
    seen = 0

    async def show(received: ReceivedEvent) -> None:
        nonlocal seen
        if count is None or seen < count:
            say(_line(received, as_json))
        seen += 1
        if count is not None and seen >= count:
            stop.set()

    async with app:
        await app.wait_until_ready(stop)
        subscription = await app.events.subscribe(topic, show)
        await stop.wait()
        await app.events.unsubscribe(subscription)
    return DONE


def _line(received: ReceivedEvent, as_json: bool) -> str:
    message = received.message
    if as_json:
        shown = {"topic": message.topic, "sequence": received.sequence, **message.attributes}
        return json.dumps({**shown, "data": json.loads(message.data)}, ensure_ascii=False)
    at = message.attributes.get("timestamp", "")
    return f"{at}  {message.topic}  {message.key or '-'}  {message.data}"


async def _dead(
    app: FrameworkM,
    redrive: str | None,
    every: bool,
    group: str | None,
    limit: int,
    as_json: bool,
) -> int:
    async with app:
        await app.ports.require_schema()
        if redrive is not None:
            await app.events.redrive(redrive)
            say_json({"redriven": 1}) if as_json else say(f"{redrive} goes to its group once more")
            return DONE
        if every:
            total = await _redrive_all(app, group)
            say_json({"redriven": total}) if as_json else say(f"{total} go to their groups")
            return DONE
        _say_letters(await app.events.dead(group=group, limit=limit), as_json)
    return DONE


async def _redrive_all(app: FrameworkM, group: str | None) -> int:
    total, before = 0, None
    # Down from the newest of now: what dies again meanwhile has a newer id, and is left.
    while letters := await app.events.dead(group=group, limit=_PAGE, before=before):
        for letter in letters:
            await app.events.redrive(letter.id)
        total += len(letters)
        before = letters[-1].id
        await asyncio.sleep(0)
    return total


def _say_letters(letters: Sequence[DeadLetter], as_json: bool) -> None:
    if as_json:
        say_json([shown(letter) for letter in letters])
        return
    say_table(
        ("ID", "GROUP", "TOPIC", "EVENT", "ATTEMPTS", "AT", "ERROR"),
        [
            (
                letter.id,
                letter.group,
                letter.topic,
                letter.event_id or "-",
                str(letter.attempts),
                "" if letter.at is None else letter.at.isoformat(timespec="seconds"),
                letter.error.partition("\n")[0],
            )
            for letter in letters
        ],
    )


def shown(letter: DeadLetter) -> dict[str, object]:
    """A dead letter as JSON."""
    from framework_m.core.events.letters import LetterRecord  # noqa: PLC0415 - loads pydantic

    return LetterRecord.of(letter).model_dump(mode="json")
