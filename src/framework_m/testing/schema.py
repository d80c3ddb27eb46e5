"""The database of a test: a file, copied from one that is made once per process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from framework_m.app import FrameworkM

_FILE = "test.db"
_made: WeakKeyDictionary[FrameworkM, bytes] = WeakKeyDictionary()


def settings(folder: Path) -> dict[str, Any]:
    """What isolates an application: a SQLite file in this folder, and no server."""
    return {
        "database_url": f"sqlite:///{folder / _FILE}",
        "database_schema": None,
        "backend": "database",
        "nats_url": None,
    }


async def make_database(app: FrameworkM, folder: Path) -> None:
    """Put the file that `settings` names into the folder, with all tables of the application."""
    if app not in _made:
        _made[app] = await _make(app)
    (folder / _FILE).write_bytes(_made[app])


async def _make(app: FrameworkM) -> bytes:
    with tempfile.TemporaryDirectory(prefix="framework_m_") as name:
        folder = Path(name)
        with app.isolated(**settings(folder)):
            async with app:
                await app.ports.create_schema()
            return (folder / _FILE).read_bytes()
