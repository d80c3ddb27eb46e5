"""Documents whose transaction rolls back are again what they were."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from framework_m.core.doctypes.base import (
    BASE_FIELDS,
    DocType,
    remember_stored,
    stored_values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from framework_m.adapters.db.hooks import HookRun
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol


@contextlib.contextmanager
def restoring(
    documents: Sequence[DocType], unit: UnitOfWorkProtocol, runs: Sequence[HookRun]
) -> Iterator[None]:
    """Give back name, version and stamps on an error in the block, or a rollback after it.

    Otherwise a document that was never stored would claim to be, and keep a number of a series
    that somebody else will get. An error after a hook dooms the transaction: the hook may have
    written something that belongs to the change that is not made.
    """
    restore = _snapshot(documents)
    try:
        yield
    except BaseException as error:
        restore()
        if any(run.has_run for run in runs):
            unit.fail(error)
        raise
    unit.on_rollback(restore)


def _snapshot(documents: Sequence[DocType]) -> Callable[[], None]:
    kept = [
        ({name: document.__dict__[name] for name in BASE_FIELDS}, stored_values(document))
        for document in documents
    ]

    def restore() -> None:
        for document, (values, stored) in zip(documents, kept, strict=True):
            document.__dict__.update(values)
            remember_stored(document, stored)

    return restore
