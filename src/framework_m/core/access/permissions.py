"""Permissions: the one place that decides what a user may do.

REST, jobs, events and sockets ask here. Who is not named in a DocType's `Meta.permissions` may do
nothing; the role System Manager may do everything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m.core.doctypes.meta import DocTypeMeta
    from framework_m.core.identity import User
    from framework_m.core.jobs.options import JobOptions

FULL_ACCESS = "System Manager"
"""The role that may do everything."""
OWN = ":own"
"""After an action: of documents that the user has created, only."""


class Reach(StrEnum):
    """Which documents an action reaches."""

    NONE = "none"
    OWN = "own"
    ALL = "all"


def reach(user: User, meta: DocTypeMeta, action: str) -> Reach:
    """The documents of this DocType that the user may read, write, create, delete or submit.

    Who may submit may cancel, too.
    """
    if has_full_access(user):
        return Reach.ALL
    granted = {
        grant for role in user.roles for grant in meta.permissions.get(role, frozenset[str]())
    }
    asked = (action, "submit") if action == "cancel" else (action,)
    if any(name in granted for name in asked):
        return Reach.ALL
    return Reach.OWN if any(f"{name}{OWN}" in granted for name in asked) else Reach.NONE


def reaches(found: Reach, user: User, owner: str | None) -> bool:
    """Whether a document of this owner is among them."""
    return found is Reach.ALL or (found is Reach.OWN and owner == user.id)


def may_enqueue(user: User, job: JobOptions) -> bool:
    """Whether the user may ask for a run over HTTP: only of functions declared for it."""
    return job.http and (has_full_access(user) or not user.roles.isdisjoint(job.roles))


def reach_of_jobs(user: User) -> Reach:
    """Whose jobs the user may look at."""
    return Reach.ALL if has_full_access(user) else Reach.OWN


def has_full_access(user: User) -> bool:
    return FULL_ACCESS in user.roles
