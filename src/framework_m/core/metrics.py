"""Counters of this process: plain numbers, for whoever shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metrics:
    """Counts by name and label. Used in one event loop, so that nothing is locked."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        self._counts[name, label] += by

    def value(self, name: str, label: str = "") -> int:
        return self._counts[name, label]

    def snapshot(self) -> Mapping[tuple[str, str], int]:
        """Every counter by name and label."""
        return dict(self._counts)
