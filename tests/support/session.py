"""The application of a recorded terminal session: it waits for files instead of for work."""

from pathlib import Path

JOBS = '''\
import asyncio
import logging
from pathlib import Path

from framework_m import JobContext, job

logger = logging.getLogger(__name__)


@job(queue="reports")
async def build_report(ctx: JobContext, month: str, rows: int = 4) -> dict[str, int]:
    """Build the report of a month."""
    for n in range(1, rows + 1):
        while not Path(f"row-{n}").exists():
            await asyncio.sleep(0.01)
        logger.info("row %d of %s", n, month)
        await ctx.progress(n, total=rows, message=f"{n} rows")
    return {"rows": rows}


@job(queue="reports", retries=0)
async def send_report(to: str) -> None:
    raise ConnectionError(f"nobody listens at {to}")


@job(queue="reports")
async def never_ends(ctx: JobContext) -> None:
    await ctx.progress(1, total=100, message="waiting")
    logger.info("it begins to wait")
    await asyncio.Event().wait()
'''
APP = 'from framework_m import FrameworkM\n\napp = FrameworkM(modules=["shop.jobs"])\n'


def write_shop(folder: Path) -> None:
    """The application, and where `m` finds it."""
    (folder / "shop").mkdir()
    (folder / "shop" / "jobs.py").write_text(JOBS)
    (folder / "shop" / "app.py").write_text(APP)
    (folder / "pyproject.toml").write_text('[tool.framework_m]\napp = "shop.app:app"\n')


def let_pass(folder: Path, *rows: int) -> None:
    """What `build_report` waits for before each row."""
    for row in rows:
        (folder / f"row-{row}").touch()
