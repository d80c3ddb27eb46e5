"""An application that knows other jobs than tests.support.jobs."""

from framework_m import job


@job
async def something_else() -> None:
    """Never run."""
