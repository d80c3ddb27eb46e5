"""The same functions as they are now."""

from framework_m import job


@job
async def gains_default(a: int, b: int = 10) -> int:
    return a + b


@job
async def gains_required(a: int, b: int) -> int:
    return a + b


@job
async def loses(a: int) -> int:
    return a


@job
async def retyped(a: int) -> int:
    return a
