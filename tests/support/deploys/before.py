"""Job functions as they were."""

from framework_m import job


@job
async def gains_default(a: int) -> int:
    return a


@job
async def gains_required(a: int) -> int:
    return a


@job
async def loses(a: int, b: int) -> int:
    return a + b


@job
async def retyped(a: str) -> str:
    return a
