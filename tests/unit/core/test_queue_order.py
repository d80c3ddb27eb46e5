"""Which queues a worker serves, and how they take turns."""

import re
from collections import Counter

import pytest
from pydantic import ValidationError

from framework_m import Queue, QueueOrder, Settings
from framework_m.adapters.jobs.rotation import Rotation
from framework_m.core.errors import ConfigurationError
from framework_m.core.jobs.options import is_queue_name
from framework_m.core.jobs.queue_order import order_of

ABC = ("a", "b", "c")


def test_weights_are_read_from_text() -> None:
    order = QueueOrder.parse(" critical:4, default:2 ,low,")
    assert order.weights == (("critical", 4), ("default", 2), ("low", 1))
    assert order.queues == ("critical", "default", "low")
    assert str(order) == "critical:4, default:2, low"
    assert order_of(["critical:4", "default:2", "low"]) == order
    assert order_of("critical:4,default:2,low:1") == order
    assert order_of(order) is order
    assert order_of(None) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is none"),
        (" , ", "there is none"),
        ("a b", "'a b': is no name of a queue"),
        ("a:", "'a:': its weight must be a whole number"),
        ("a:x", "'a:x': its weight must be a whole number"),
        ("a:1.5", "'a:1.5': its weight must be a whole number"),
        ("a:-1", "'a:-1': its weight must be a whole number"),
        (f"a:{'9' * 5000}", "its weight must be a whole number"),
        ("a:0", "'a': its weight must be from 1 to 1000"),
        ("a:9999", "'a': its weight must be from 1 to 1000"),
        ("a:1:2", "'a:1:2': its weight must be a whole number"),
        (":4", "'': is no name of a queue"),
        ("a,b,a:2", "'a': is there twice"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        QueueOrder.parse(text)
    with pytest.raises(ValidationError, match=re.escape(problem)):
        Settings(queues=text)


def test_a_strict_order_has_no_weights() -> None:
    order = QueueOrder.parse("a,b", strict=True)
    assert str(order) == "a > b"
    with pytest.raises(ConfigurationError, match="a weight means nothing"):
        QueueOrder.parse("a:2,b", strict=True)
    with pytest.raises(ValidationError, match="strict_queues needs queues"):
        Settings(strict_queues=True)
    assert Settings(queues="a,b", strict_queues=True).queue_order == order


def test_each_queue_is_first_as_often_as_its_weight_says() -> None:
    rotation = Rotation(QueueOrder.parse("a:4,b:2,c"))
    turns = [rotation.next(ABC) for _ in range(70)]
    for start in range(0, 70, 7):
        firsts = Counter(turn[0] for turn in turns[start : start + 7])
        assert firsts == {"a": 4, "b": 2, "c": 1}
    assert {tuple(sorted(turn)) for turn in turns} == {ABC}, "none is ever left out"
    assert "aaa" not in "".join(turn[0] for turn in turns), "turns are spread"


def test_without_weights_queues_are_first_in_turn() -> None:
    rotation = Rotation(QueueOrder.of(ABC))
    assert [rotation.next(ABC)[0] for _ in range(6)] == ["a", "b", "c"] * 2


def test_weights_hold_among_the_queues_that_are_open() -> None:
    rotation = Rotation(QueueOrder.parse("a:4,b:2,c"))
    firsts = Counter(rotation.next(("b", "c"))[0] for _ in range(30))
    assert firsts == {"b": 20, "c": 10}
    again = Counter(rotation.next(ABC)[0] for _ in range(28))
    assert again == {"a": 16, "b": 8, "c": 4}, "who was paused has saved up no turns"


def test_a_strict_order_stays_as_it_is() -> None:
    rotation = Rotation(QueueOrder.parse("b,a,c", strict=True))
    assert {rotation.next(("b", "a", "c")) for _ in range(5)} == {("b", "a", "c")}


@pytest.mark.parametrize(
    "name", ["a", "A-b_9", "-", "__", "x" * 64, "x" * 65, "", "a b", "a.b", "ü", "a\n", "²", "٣"]
)
def test_a_record_can_have_the_names_that_queues_have(name: str) -> None:
    if is_queue_name(name):
        assert Queue(name=name).name == name
    else:
        with pytest.raises(ValidationError, match="name"):
            Queue(name=name)
