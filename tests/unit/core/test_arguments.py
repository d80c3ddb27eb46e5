"""Arguments: what a job function takes, checked when enqueued and parsed back in the worker."""

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from framework_m import JobContext
from framework_m.core.errors import ArgumentError, ConfigurationError, ResultError
from framework_m.core.jobs.arguments import Arguments


def no_op(*_: object) -> None:
    """Never called: only signatures matter here."""


async def invoice(
    ctx: JobContext, customer: str, total: Decimal = Decimal(1), *, when: date | None = None
) -> Decimal:
    return total


def fields(refused: pytest.ExceptionInfo[ArgumentError]) -> dict[str, str]:
    return {error.field: error.message for error in refused.value.errors}


def test_the_context_is_no_argument() -> None:
    arguments = Arguments("invoice", invoice)
    assert arguments.context_parameter == "ctx"
    with pytest.raises(ArgumentError) as refused:
        arguments.dump({"ctx": 1, "customer": "Ada"})
    assert fields(refused) == {"ctx": "is not an argument of this job"}


def test_every_misfit_is_named_at_once() -> None:
    with pytest.raises(ArgumentError) as refused:
        Arguments("invoice", invoice).dump({"total": "much", "whom": "Ada"})
    told = fields(refused)
    assert told["customer"] == "is missing"
    assert told["whom"] == "is not an argument of this job"
    assert "decimal" in told["total"]


def test_a_default_stays_with_the_function() -> None:
    text = Arguments("invoice", invoice).dump({"customer": "Ada"})
    assert json.loads(text) == {"customer": "Ada"}
    assert Arguments("invoice", invoice).load(text) == {"customer": "Ada"}


def test_positional_arguments_are_bound_by_name() -> None:
    arguments = Arguments("invoice", invoice)
    assert arguments.bind(("Ada", 2), {}) == {"customer": "Ada", "total": 2}
    with pytest.raises(ArgumentError, match="customer: given twice"):
        arguments.bind(("Ada",), {"customer": "Bob"})
    with pytest.raises(ArgumentError, match="takes 3 arguments, 4 were given"):
        arguments.bind((1, 2, 3, 4), {})


def test_constraints_of_annotations_hold() -> None:
    async def limited(n: Annotated[int, Field(ge=0)]) -> None: ...

    with pytest.raises(ArgumentError, match="n: Input should be greater than or equal to 0"):
        Arguments("limited", limited).dump({"n": -1})


def test_parameters_may_have_any_name() -> None:
    async def odd(model_config: int, schema: str, _private: int, json: str, p0: int) -> None: ...

    values = {"model_config": 1, "schema": "s", "_private": 2, "json": "j", "p0": 3}
    arguments = Arguments("odd", odd)
    assert arguments.load(arguments.dump(values)) == values


def test_a_parameter_without_a_type_takes_json() -> None:
    async def untyped(anything) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001, RUF100
        no_op(anything)

    arguments = Arguments("untyped", untyped)
    assert arguments.load(arguments.dump({"anything": {"a": [1, None]}})) == {
        "anything": {"a": [1, None]}
    }


def test_variable_parameters_are_refused_when_declared() -> None:
    async def gather(*many: int) -> None: ...

    with pytest.raises(ConfigurationError, match=r"parameter \*many: int cannot be stored by name"):
        Arguments("gather", gather)


def test_a_type_that_json_cannot_hold_is_refused_when_declared() -> None:
    async def holds(what: st.SearchStrategy[int]) -> None: ...

    with pytest.raises(ConfigurationError, match="JSON cannot hold"):
        Arguments("holds", holds)


def test_what_a_nested_model_would_lose_is_refused_at_enqueue() -> None:
    class Reading(BaseModel):
        value: float

    async def store(reading: Reading) -> None: ...

    # pydantic writes NaN as null in a model of default configuration, and does not read it back.
    with pytest.raises(ArgumentError, match=r"reading\.value"):
        Arguments("store", store).dump({"reading": Reading(value=float("nan"))})


def test_an_argument_that_cannot_be_written_is_named() -> None:
    with pytest.raises(ArgumentError, match="customer: cannot be written as JSON"):
        Arguments("invoice", invoice).dump({"customer": "\ud800"})


def test_a_result_comes_back_as_its_type() -> None:
    arguments = Arguments("invoice", invoice)
    text = arguments.dump_result(Decimal("1.10"))
    assert arguments.load_result(json.loads(text or "")) == Decimal("1.10")


def test_a_result_that_no_longer_fits_comes_back_as_stored() -> None:
    assert Arguments("invoice", invoice).load_result({"old": "shape"}) == {"old": "shape"}


def test_a_result_that_json_cannot_hold_is_refused() -> None:
    async def anything() -> Any: ...

    with pytest.raises(ResultError, match="JSON cannot hold"):
        Arguments("anything", anything).dump_result(object())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_values_survive_or_are_refused(value: object) -> None:
    async def keep(value: Any) -> None: ...

    arguments = Arguments("keep", keep)
    try:
        text = arguments.dump({"value": value})
    except ArgumentError:
        # Only what has no UTF-8 form may be refused.
        assert "\\ud" in repr(value)
        return
    survived = arguments.load(text)["value"]
    assert survived == value or "inf" in repr(value)


@given(st.binary(), st.floats(allow_nan=False))
def test_bytes_and_infinities_survive(raw: bytes, number: float) -> None:
    async def keep(raw: bytes, number: float) -> None: ...

    arguments = Arguments("keep", keep)
    values = {"raw": raw, "number": number}
    assert arguments.load(arguments.dump(values)) == values
