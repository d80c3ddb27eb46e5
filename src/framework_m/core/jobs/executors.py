"""Where a job function runs: in the worker's event loop, in a thread, or in a process."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, get_args

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

JobExecutor = Literal["async", "thread", "process"]


def executor_for(function: Callable[..., Any], name: str, wanted: str | None) -> JobExecutor:
    """What was asked for, or what the function is made for.

    Raises ConfigurationError where the two do not go together.
    """
    given = f"job {name!r}: @job(executor={wanted!r})"
    is_coroutine = inspect.iscoroutinefunction(function)
    match wanted:
        case None:
            return "async" if is_coroutine else "thread"
        case "async" if is_coroutine:
            return "async"
        case "async":
            raise ConfigurationError(
                f"{given} needs a coroutine function: write `async def`, or leave executor out to "
                f"run it in a thread"
            )
        case "thread" | "process" if is_coroutine:
            raise ConfigurationError(
                f"{given} needs a plain function: write `def` and no await, or leave executor out "
                f"to run it in the event loop"
            )
        case "thread":
            return "thread"
        case "process":
            return "process"
    allowed = ", ".join(map(repr, get_args(JobExecutor)))
    raise ConfigurationError(f"{given}: must be one of {allowed}, or left out")
