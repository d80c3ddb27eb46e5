"""m token:create, m token:list, m token:revoke: who may come in from outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework_m.app import FrameworkM
    from framework_m.core.access.api_keys import NewKey
    from framework_m.core.doctypes.api_key import ApiKey
    from framework_m.core.identity import User

_EXPIRES = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DEFAULT_LIFETIME = timedelta(days=1)
_DEV_LIFETIME = timedelta(hours=12)


def token_create(
    *,
    user: Annotated[str, Parameter(help="Whom it stands for.")],
    role: Annotated[
        list[str] | None, Parameter(negative=(), help="A role that the user has; may be repeated.")
    ] = None,
    expires: Annotated[
        str | None,
        Parameter(help="How long it is good: 30m, 12h, 90d. A signed one 1d by default."),
    ] = None,
    api_key: Annotated[
        bool, Parameter(negative=(), help="A stored key, which can be revoked; not a signed token.")
    ] = False,
    note: Annotated[str | None, Parameter(help="With --api-key: what it is for.")] = None,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Print a bearer token for a user with these roles. It is shown this once."""
    from framework_m.core.identity import User  # noqa: PLC0415 - `m --help` does without

    lifetime = None if expires is None else _lifetime(expires)
    wanted = User(_named("--user", user), frozenset(_named("--role", name) for name in role or ()))
    application = load(app)
    if api_key:
        key = run(_key(application, wanted, lifetime, note))
        name, text = key.record.name, key.text
    else:
        name, text = None, run(_signed(application, wanted, lifetime or _DEFAULT_LIFETIME))
    say_json({"token": text, "name": name}) if as_json else say(text)
    return DONE


def token_list(*, as_json: Json = False, app: AppOption = None) -> int:
    """List the stored keys, newest first. Signed tokens are stored nowhere."""
    keys = run(_keys(load(app)))
    if as_json:
        say_json([key.model_dump(mode="json", exclude={"parent", "is_session"}) for key in keys])
        return DONE
    rows = [
        (
            key.name,
            key.user_id,
            ", ".join(sorted(key.roles)),
            _state(key),
            _day(key.expires_at),
            _day(key.last_used_at),
            key.note or "",
        )
        for key in keys
    ]
    say_table(("NAME", "USER", "ROLES", "STATE", "EXPIRES", "LAST USED", "NOTE"), rows)
    return DONE


def token_revoke(
    name: Annotated[str, Parameter(help="The key's name, as m token:list shows it.")],
    /,
    *,
    as_json: Json = False,
    app: AppOption = None,
) -> int:
    """Revoke a stored key, and the sessions opened with it, at once and for good."""
    if not run(_revoke(load(app), name)):
        raise CommandFailedError(f"there is no key {name}")
    say_json({"name": name, "revoked": True}) if as_json else say(f"{name} is revoked")
    return DONE


async def dev_token(app: FrameworkM) -> str:
    """A key that may do everything for half a day, on the developer's own machine."""
    from framework_m.core.access.permissions import FULL_ACCESS  # noqa: PLC0415
    from framework_m.core.identity import User  # noqa: PLC0415 - `m --help` does without

    expires_at = datetime.now(UTC) + _DEV_LIFETIME
    developer = User("dev", frozenset({FULL_ACCESS}))
    key = await app.access.keys.create(developer, expires_at=expires_at, note="m dev")
    return key.text


async def _signed(app: FrameworkM, user: User, lifetime: timedelta) -> str:
    async with app:
        return app.access.issue(user, lifetime)


async def _key(app: FrameworkM, user: User, lifetime: timedelta | None, note: str | None) -> NewKey:
    expires_at = None if lifetime is None else datetime.now(UTC) + lifetime
    async with app:
        await app.ports.require_schema()
        return await app.access.keys.create(user, expires_at=expires_at, note=note)


async def _keys(app: FrameworkM) -> Sequence[ApiKey]:
    async with app:
        await app.ports.require_schema()
        return await app.access.keys.list()


async def _revoke(app: FrameworkM, name: str) -> bool:
    async with app:
        await app.ports.require_schema()
        return await app.access.keys.revoke(name)


def _lifetime(text: str) -> timedelta:
    found = _EXPIRES.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError(f"--expires {text}: write it as 30m, 12h or 90d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _named(option: str, text: str) -> str:
    if not text.strip() or len(text) > 255 or not text.isprintable():
        raise UsageError(f"{option}: must be a printable text of up to 255 characters")
    return text


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(datetime.now(UTC)) else "expired"


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
