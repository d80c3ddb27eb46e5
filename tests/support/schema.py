"""The schema of a test's empty database: made once in a run, and copied where it is a file.

As the kit makes it, not by all revisions: tests/migration holds that they make the same.
"""

from pathlib import Path

from sqlalchemy.engine import make_url

from framework_m import FrameworkM

_files: dict[tuple[str, ...], bytes] = {}
"""SQLite's, by the modules whose DocTypes have tables in it."""


async def make_schema(app: FrameworkM) -> None:
    """Of a closed application: the framework's tables, and those of the application's DocTypes."""
    url = make_url(app.settings.database_url.get_secret_value())
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if file is not None and app.modules in _files:
        file.write_bytes(_files[app.modules])
        return
    async with app:
        await app.ports.create_schema()
    if file is not None:
        # Closed: all is in the file, and nothing beside it.
        assert not file.with_name(f"{file.name}-wal").exists()
        _files[app.modules] = file.read_bytes()
