"""The one place that decides: what roles reach."""

from hypothesis import given
from hypothesis import strategies as st

from framework_m import DocType, User, job
from framework_m.core.access.permissions import (
    FULL_ACCESS,
    Reach,
    may_enqueue,
    reach,
    reach_of_jobs,
    reaches,
)
from framework_m.core.doctypes import meta
from framework_m.core.doctypes.meta import ACTIONS


class Paper(DocType):
    class Meta:
        permissions = {  # noqa: RUF012 - read once
            "Reader": ["read"],
            "Author": ["read:own", "write:own", "create", "submit:own"],
            "Clerk": ["cancel"],
        }


PAPER = meta.resolve(Paper)


class Bare(DocType):
    pass


def of(*roles: str) -> User:
    return User("ada", frozenset(roles))


def test_roles_add_up() -> None:
    assert reach(of("Author"), PAPER, "read") is Reach.OWN
    assert reach(of("Author", "Reader"), PAPER, "read") is Reach.ALL
    assert reach(of("Reader"), PAPER, "write") is Reach.NONE
    assert reach(of("Author"), PAPER, "create") is Reach.ALL


def test_who_may_submit_may_cancel_and_not_the_other_way_round() -> None:
    assert reach(of("Author"), PAPER, "cancel") is Reach.OWN
    assert reach(of("Clerk"), PAPER, "cancel") is Reach.ALL
    assert reach(of("Clerk"), PAPER, "submit") is Reach.NONE


@given(st.sampled_from(sorted(ACTIONS)), st.sets(st.text()))
def test_without_permissions_only_full_access_reaches_anything(
    action: str, roles: set[str]
) -> None:
    user = User("ada", frozenset(roles - {FULL_ACCESS}))
    assert reach(user, meta.resolve(Bare), action) is Reach.NONE
    assert reach(of(FULL_ACCESS, *roles), meta.resolve(Bare), action) is Reach.ALL


def test_own_is_what_the_user_created() -> None:
    assert reaches(Reach.OWN, of(), "ada")
    assert not reaches(Reach.OWN, of(), "bob")
    assert not reaches(Reach.OWN, of(), None)
    assert not reaches(Reach.NONE, of(), "ada")


def test_jobs_are_asked_for_where_they_are_declared_for_it() -> None:
    @job
    async def inside() -> None: ...

    @job(http=True)
    async def for_operators() -> None: ...

    @job(http=True, roles=["Clerk"])
    async def for_clerks() -> None: ...

    assert not may_enqueue(of(FULL_ACCESS), inside.defaults)
    assert may_enqueue(of(FULL_ACCESS), for_operators.defaults)
    assert not may_enqueue(of("Clerk"), for_operators.defaults)
    assert may_enqueue(of("Clerk"), for_clerks.defaults)
    assert not may_enqueue(of("clerk", "Reader"), for_clerks.defaults)


def test_jobs_are_seen_by_whoever_asked_for_them() -> None:
    assert reach_of_jobs(of("Clerk")) is Reach.OWN
    assert reach_of_jobs(of(FULL_ACCESS)) is Reach.ALL
