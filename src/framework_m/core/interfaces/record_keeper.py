"""Port: what the framework itself minds about one of its own records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from framework_m.core.doctypes.base import DocType
from framework_m.core.errors import FieldError

if TYPE_CHECKING:
    from framework_m.core.interfaces.unit_of_work import UnitOfWorkProtocol

D_contra = TypeVar("D_contra", bound=DocType, contravariant=True)

Change = Callable[[], Awaitable[None]]
"""What to do once a change has committed: it may only hasten what a sweep would do anyway."""


class RecordKeeper(Protocol[D_contra]):
    """Keeps one of the built-in DocTypes, by whatever way it is changed.

    Beside the controller that an application may have for it, which cannot do without.
    """

    async def prepare(self, document: D_contra, unit: UnitOfWorkProtocol) -> None:
        """Check and complete one that is about to be written, in this transaction.

        Raises InvalidDocumentError.
        """

    def faults(self, document: D_contra) -> Sequence[FieldError]:
        """What `prepare` would find in its fields, all but those that are not there."""

    def require_removable(self, document: D_contra) -> None:
        """Raises DocumentStateError for one that has to stay."""

    def changed(self, document: D_contra) -> Change:
        """What is to follow the commit, in this process, of one that is written."""

    def removed(self, document: D_contra) -> Change:
        """The same of one that is gone."""
