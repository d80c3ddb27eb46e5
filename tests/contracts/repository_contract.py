"""What a repository promises, whatever keeps the documents."""

import asyncio
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from framework_m import (
    ConflictError,
    DocStatus,
    DuplicateError,
    FrameworkM,
    InvalidDocumentError,
    LinkError,
    NotFoundError,
    Secret,
    acting_as,
    where,
)
from framework_m.core.errors import (
    ConfigurationError,
    CursorError,
    DocumentStateError,
    FilterError,
    UnknownDocTypeError,
)
from framework_m.core.interfaces.filters import All, Condition, Either, Filter, Operator, parse
from tests.support.documents import Colour, Customer, Everything, Invoice, Slugged, Tree


class RepositoryContract:
    """Subclass it with an `app` fixture."""

    async def test_a_saved_document_comes_back_equal(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        saved = await repo.save(Invoice(total=Decimal("10.10"), tags=["a"]))
        found = await repo.get(saved.name)
        assert found == saved
        assert found.model_dump_json() == saved.model_dump_json()
        assert (saved.version, saved.docstatus) == (1, DocStatus.DRAFT)

    async def test_who_and_when_are_stamped(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        with acting_as("ada"):
            saved = await repo.save(Customer(name="c"))
        assert (saved.owner, saved.modified_by) == ("ada", "ada")
        assert saved.creation is not None
        assert saved.creation == saved.modified
        with acting_as("bob"):
            await repo.save(saved)
        found = await repo.get("c")
        assert (found.owner, found.modified_by, found.version) == ("ada", "bob", 2)
        assert found.creation == saved.creation
        assert found.modified is not None
        assert found.modified > saved.creation

    async def test_a_missing_document_is_not_found(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        for name in ("nothing", "", "nul \x00", "half \ud800"):
            with pytest.raises(NotFoundError, match="does not exist"):
                await repo.get(name)
            assert not await repo.exists(name)
        with pytest.raises(NotFoundError):
            await repo.delete("nothing")

    async def test_many_are_found_in_the_order_asked_for(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.insert_many(Customer(name=name) for name in "abc")
        found = await repo.get_many(["c", "x", "a", "c", "\x00"])
        assert list(found) == ["c", "a"]

    async def test_a_stale_save_is_a_conflict(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.save(Customer(name="c"))
        mine, theirs = await repo.get("c"), await repo.get("c")
        theirs.title = "theirs"
        await repo.save(theirs)
        mine.title = "mine"
        with pytest.raises(ConflictError, match="at version 2, not 1") as raised:
            await repo.save(mine)
        assert (raised.value.ours, raised.value.theirs) == (1, 2)
        with pytest.raises(ConflictError):
            await repo.delete(mine)
        assert (await repo.get("c")).title == "theirs"

    async def test_a_save_of_what_was_deleted_is_not_found(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        saved = await repo.save(Customer(name="c"))
        await repo.delete("c")
        with pytest.raises(NotFoundError):
            await repo.save(saved)

    async def test_a_copy_without_history_saves_all_its_fields(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        saved = await repo.save(Customer(name="c", title="old"))
        copy = await repo.save(Customer(name="c", title="new", version=saved.version))
        assert copy == await repo.get("c")
        assert (copy.title, copy.creation) == ("new", saved.creation)

    async def test_the_same_name_twice_is_a_duplicate(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.save(Customer(name="c"))
        with pytest.raises(DuplicateError) as raised:
            await repo.save(Customer(name="c"))
        assert raised.value.fields == ("name",)

    async def test_a_unique_value_twice_is_a_duplicate(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        await repo.save(Invoice(number="1"))
        second = await repo.save(Invoice(number="2"))
        with pytest.raises(DuplicateError) as raised:
            await repo.save(Invoice(number="1"))
        assert raised.value.fields == ("number",)
        second.number = "1"
        with pytest.raises(DuplicateError):
            await repo.save(second)

    async def test_a_link_must_lead_somewhere(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        with pytest.raises(LinkError) as raised:
            await repo.save(Invoice(customer="nobody"))
        assert raised.value.errors[0].field == "customer"

    async def test_what_is_linked_to_cannot_be_deleted(self, app: FrameworkM) -> None:
        await app.repository(Customer).save(Customer(name="ada"))
        await app.repository(Invoice).save(Invoice(customer="ada"))
        with pytest.raises(LinkError, match=r"invoice\.customer still links to it"):
            await app.repository(Customer).delete("ada")
        assert await app.repository(Customer).exists("ada")

    async def test_a_tree_links_to_itself(self, app: FrameworkM) -> None:
        repo = app.repository(Tree)
        await repo.insert_many([Tree(name="root"), Tree(name="leaf", parent="root")])
        with pytest.raises(LinkError):
            await repo.delete("root")

    async def test_several_are_inserted_or_none(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        documents = [Customer(name="a"), Customer(name="b"), Customer(name="a")]
        with pytest.raises(DuplicateError):
            await repo.insert_many(documents)
        assert await repo.count() == 0
        assert [document.version for document in documents] == [0, 0, 0]
        assert await repo.insert_many([]) == []

    async def test_every_field_at_fault_is_named(self, app: FrameworkM) -> None:
        bad = Everything.model_construct(
            **{**Everything().__dict__, "text": "nul \x00", "integer": 2**63, "number": "x"}
        )
        with pytest.raises(InvalidDocumentError) as raised:
            await app.repository(Everything).save(bad)
        assert [error.field for error in raised.value.errors] == ["text", "integer", "number"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("text", "\x00"),
            ("text", "\ud800"),
            ("integer", 2**63),
            ("integer", -(2**63) - 1),
            ("number", float("nan")),
            ("number", float("-inf")),
            ("exact", Decimal("NaN")),
            ("exact", Decimal("1E+1000")),
            ("exact", Decimal("1E-1001")),
            ("money", Decimal("0.001")),
            ("moment", datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the point
            ("moment", datetime.fromisoformat("0001-01-01T00:00:00+01:00")),
            ("mapping", {"a": float("nan")}),
            ("mapping", {"a": "\ud800"}),
            ("mapping", {"a": object()}),
            ("anything", [[]]),
        ],
        ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value)),
    )
    async def test_what_cannot_be_kept_is_refused_by_field(
        self, app: FrameworkM, field: str, value: Any
    ) -> None:
        if field == "anything":
            for _ in range(2000):
                value = [value]
        bad = Everything.model_construct(**{**Everything().__dict__, field: value})
        with pytest.raises(InvalidDocumentError) as raised:
            await app.repository(Everything).save(bad)
        assert [error.field for error in raised.value.errors] == [field]
        assert bad.version == 0

    async def test_a_changed_list_is_saved(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        tags = ["a"]
        saved = await repo.save(Invoice(tags=tags))
        saved.tags.append("b")
        await repo.save(saved)
        assert (await repo.get(saved.name)).tags == ["a", "b"]
        saved.tags.append(3)  # type: ignore[arg-type]
        with pytest.raises(InvalidDocumentError, match="tags"):
            await repo.save(saved)

    async def test_a_name_comes_from_a_field_and_stays(self, app: FrameworkM) -> None:
        repo = app.repository(Slugged)
        saved = await repo.save(Slugged(title="one"))
        assert saved.name == "one"
        saved.title = "two"
        with pytest.raises(InvalidDocumentError, match="title"):
            await repo.save(saved)
        other = await repo.get("one")
        other.name = "two"
        with pytest.raises(InvalidDocumentError, match="cannot change"):
            await repo.save(other)

    async def test_a_given_name_has_to_be_given(self, app: FrameworkM) -> None:
        for name in ("", "   ", " a", "a\n", "\x00"):
            with pytest.raises(InvalidDocumentError) as raised:
                await app.repository(Customer).save(Customer(name=name))
            assert raised.value.errors[0].field == "name"

    async def test_a_series_counts_each_prefix_from_one(self, app: FrameworkM) -> None:
        year = datetime.now(UTC).year
        repo = app.repository(Invoice)
        saved = [await repo.save(Invoice()) for _ in range(2)]
        saved += await repo.insert_many([Invoice(), Invoice(name="own"), Invoice()])
        names = [document.name for document in saved]
        expected = [f"INV-{year}-{n:05d}" for n in (1, 2, 3, 4)]
        assert names == [*expected[:3], "own", expected[3]]

    async def test_two_hundred_concurrent_saves_are_numbered_without_a_gap(
        self, app: FrameworkM
    ) -> None:
        repo = app.repository(Invoice)
        saved = await asyncio.gather(*(repo.save(Invoice()) for _ in range(200)))
        numbers = sorted(int(document.name.rpartition("-")[2]) for document in saved)
        assert numbers == list(range(1, 201))

    async def test_a_rollback_leaves_no_gap_in_a_series(self, app: FrameworkM) -> None:
        lost = Invoice()
        with pytest.raises(KeyError):
            async with app.transaction() as tx:
                await tx.repository(Invoice).save(lost)
                assert lost.name
                raise KeyError
        assert (lost.name, lost.version, lost.creation) == ("", 0, None)
        kept = await app.repository(Invoice).save(Invoice())
        assert kept.name.endswith("-00001")
        await app.repository(Invoice).save(lost)
        assert lost.name.endswith("-00002")

    async def test_two_hundred_concurrent_updates_lose_none(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        name = (await repo.save(Invoice())).name

        async def locking() -> None:
            async with app.transaction() as tx:
                counter = await tx.repository(Invoice).get(name, for_update=True)
                counter.count += 1
                await tx.repository(Invoice).save(counter)

        async def retrying() -> None:
            while True:
                counter = await repo.get(name)
                counter.count += 1
                try:
                    await repo.save(counter)
                    return
                except ConflictError:
                    continue

        # Of those that retry, all but one start again each time: few of them make many tries.
        await asyncio.gather(*(locking() for _ in range(160)), *(retrying() for _ in range(40)))
        assert (await repo.get(name)).count == 200

    async def test_a_submitted_document_is_closed(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        invoice = await repo.save(Invoice())
        draft = await repo.get(invoice.name)
        await repo.submit(invoice)
        assert (await repo.get(invoice.name)).docstatus is DocStatus.SUBMITTED
        with pytest.raises(DocumentStateError, match="is submitted: cannot be saved"):
            await repo.save(invoice)
        draft.version = invoice.version
        with pytest.raises(DocumentStateError):
            await repo.save(draft)
        for way in (invoice, invoice.name):
            with pytest.raises(DocumentStateError, match="cannot be deleted"):
                await repo.delete(way)
        with pytest.raises(DocumentStateError):
            await repo.submit(invoice)
        await repo.cancel(invoice)
        assert (await repo.get(invoice.name)).docstatus is DocStatus.CANCELLED
        await repo.delete(invoice)

    async def test_only_submittable_types_are_submitted(self, app: FrameworkM) -> None:
        customer = await app.repository(Customer).save(Customer(name="c"))
        with pytest.raises(DocumentStateError, match=r"Meta\.submittable"):
            await app.repository(Customer).submit(customer)
        with pytest.raises(DocumentStateError, match="is new"):
            await app.repository(Invoice).submit(Invoice())
        with pytest.raises(DocumentStateError):
            await app.repository(Invoice).save(Invoice(docstatus=DocStatus.SUBMITTED))

    async def test_filters_find_what_they_say(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        rows = (("a", "1.0", 1), ("b", "1.00", 2), ("c", "10", None), ("d", "2", 9))
        for name, amount, day in rows:
            on = date(2026, 11, day) if day else None
            await repo.save(Invoice(name=name, number=name.upper(), total=Decimal(amount), due=on))

        async def found(filter_: Filter) -> str:
            assert await repo.count(filter_) == len(await repo.list(filter_))
            return "".join(document.name for document in await repo.list(filter_))

        total, due, number = where("total"), where("due"), where("number")
        expected: dict[Filter, str] = {
            total.eq("1"): "ab",
            total.ne(Decimal("1.000")): "cd",
            total.lt(2): "ab",
            total.le(2): "abd",
            total.gt("1.0"): "cd",
            total.ge(Decimal(2)): "cd",
            total.between(1, 2): "abd",
            total.in_(["1.0", 10]): "abc",
            total.not_in(["1.0", 10]): "d",
            due.is_null(): "c",
            due.is_null(False): "abd",
            due.ne(date(2026, 11, 1)): "bcd",
            due.not_in(["2026-11-01"]): "bcd",
            due.gt("2026-11-01"): "bd",
            number.in_([]): "",
            number.not_in([]): "abcd",
            number.like("%"): "abcd",
            number.like("a"): "",
            number.like("A"): "a",
            total.gt(1) & due.is_null(): "c",
            due.is_null() | number.eq("A"): "ac",
            All(()): "abcd",
            Either(()): "",
        }
        assert {f: await found(f) for f in expected} == expected

    async def test_patterns_are_literal_but_for_their_wildcards(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        numbers = ["100%", "1000", "a_b", "axb", "[ab]", "A_B", "*?", "back\\slash"]
        await repo.insert_many(Invoice(name=f"n{n}", number=n) for n in numbers)
        expected = {
            "100\\%": {"100%"},
            "100_": {"100%", "1000"},
            "a_b": {"a_b", "axb"},
            "a\\_b": {"a_b"},
            "[ab]": {"[ab]"},
            "%*%": {"*?"},
            "_?": {"*?"},
            "%\\\\%": {"back\\slash"},
            "a_b\\": set(),
        }
        found = {
            pattern: {
                document.number for document in await repo.list(where("number").like(pattern))
            }
            for pattern in expected
        }
        assert found == expected

    async def test_search_looks_in_the_search_fields(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.insert_many([Customer(name="x", title="Ada L_"), Customer(name="adam")])
        assert [found.name for found in await repo.list(search="ADA")] == ["adam", "x"]
        assert await repo.count(search="l_") == 1
        assert await repo.count(search="%") == 0

    async def test_a_filter_from_json(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        await repo.insert_many(Invoice(name=f"n{n}", total=Decimal(n), count=n) for n in range(5))
        wanted = {"total": {"ge": "1", "lt": "4"}, "or": [{"count": 1}, {"count": {"in": [3, 9]}}]}
        assert [found.name for found in await repo.list(parse(wanted))] == ["n1", "n3"]

    @pytest.mark.parametrize(
        "wrong",
        [
            where("totall").eq(1),
            where("name; DROP TABLE invoice").eq(1),
            where("total").eq("x"),
            where("total").eq(None),
            where("total").like("%"),
            where("tags").eq([]),
            where("total").between(1, 2) & where("due").eq("yesterday"),
            where("count").eq(2**63),
            where("name").eq("\x00"),
            Condition("total", "around", 1),  # type: ignore[arg-type]
            Condition("total", Operator.IN, "1"),
            Condition("total", Operator.BETWEEN, 1),
            Condition("total", Operator.IS_NULL, "yes"),
            "total = 1",
        ],
        ids=str,
    )
    async def test_a_filter_that_means_nothing_is_refused(
        self, app: FrameworkM, wrong: Any
    ) -> None:
        with pytest.raises(FilterError):
            await app.repository(Invoice).list(wrong)
        with pytest.raises(FilterError):
            await app.repository(Invoice).count(where("count").ge(0) | wrong)

    async def test_secrets_are_neither_filtered_nor_ordered_by(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.insert_many([Customer(name="a", token=Secret("secret")), Customer(name="b")])
        assert [c.name for c in await repo.list(where("token").is_null())] == ["b"]
        with pytest.raises(FilterError, match="is a secret"):
            await repo.list(where("token").eq("secret"))
        with pytest.raises(FilterError):
            await repo.list(order_by="token")

    async def test_pages_follow_each_other_in_every_order(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        days = [None, date(2026, 1, 2), date(2026, 1, 1), None, date(2026, 1, 2)]
        await repo.insert_many(
            Invoice(name=f"n{n:02d}", due=days[n % 5], total=Decimal(n % 3), count=n)
            for n in range(23)
        )
        for order in (["due"], ["-due"], ["-total", "due"], ["total", "-due", "-name"], ["-name"]):
            whole = [found.name for found in await repo.list(order_by=order, limit=100)]
            assert len(whole) == 23
            paged: list[str] = []
            cursor: str | None = None
            while True:
                page = await repo.list(order_by=order, limit=4, cursor=cursor)
                paged += [found.name for found in page]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert paged == whole
            offsets = [
                found.name
                for start in range(0, 23, 7)
                for found in await repo.list(order_by=order, limit=7, offset=start)
            ]
            assert offsets == whole
            assert [found.name async for found in repo.iterate(order_by=order, batch=5)] == whole

    async def test_what_has_no_value_is_largest(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        await repo.insert_many([Invoice(name="a"), Invoice(name="b", due=date(2026, 1, 1))])
        assert [found.name for found in await repo.list(order_by="due")] == ["b", "a"]
        assert [found.name for found in await repo.list(order_by="-due")] == ["a", "b"]

    async def test_a_page_that_grows_behind_repeats_nothing(self, app: FrameworkM) -> None:
        repo = app.repository(Customer)
        await repo.insert_many(Customer(name=f"c{n}") for n in range(4))
        first = await repo.list(limit=2)
        await repo.save(Customer(name="a"))
        second = await repo.list(limit=2, cursor=first.next_cursor)
        assert [found.name for found in (*first, *second)] == ["c0", "c1", "c2", "c3"]
        assert second.next_cursor is None

    async def test_a_broken_cursor_is_refused(self, app: FrameworkM) -> None:
        repo = app.repository(Invoice)
        await repo.insert_many(Invoice() for _ in range(3))
        good = (await repo.list(limit=1, order_by="due")).next_cursor
        assert good is not None
        for bad in ("", "x", "!!", good[:-2], good + "AAAA", "W10", "e30", "ü", good.lower()):
            with pytest.raises(CursorError):
                await repo.list(limit=1, order_by="due", cursor=bad)
        with pytest.raises(CursorError, match="another kind or in another order"):
            await repo.list(limit=1, order_by="-due", cursor=good)
        with pytest.raises(CursorError):
            await app.repository(Customer).list(order_by="name", cursor=good)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"limit": 0},
            {"limit": 1001},
            {"limit": True},
            {"offset": -1},
            {"order_by": "nothing"},
            {"order_by": "-"},
            {"order_by": "tags"},
            {"search": "\x00"},
        ],
        ids=str,
    )
    async def test_a_page_that_cannot_be_is_refused(
        self, app: FrameworkM, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(FilterError):
            await app.repository(Invoice).list(**wrong)

    async def test_exists_by_filter_and_name(self, app: FrameworkM) -> None:
        repo = app.repository(Everything)
        saved = await repo.save(Everything(colour=Colour.BLUE))
        assert await repo.exists(saved.name)
        assert await repo.exists(where("colour").eq("blue"))
        assert not await repo.exists(where("colour").eq(Colour.RED))

    async def test_a_lock_needs_a_transaction(self, app: FrameworkM) -> None:
        with pytest.raises(ConfigurationError, match="for_update needs a transaction"):
            await app.repository(Invoice).get("x", for_update=True)

    async def test_only_the_applications_own_doctypes_have_repositories(
        self, app: FrameworkM
    ) -> None:
        class Stranger(Customer):
            pass

        with pytest.raises(UnknownDocTypeError, match="is not in the application's modules"):
            app.repository(Stranger)
