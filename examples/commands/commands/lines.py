"""Lines: bytes from a program, made text in bounded pieces."""

import codecs
from collections.abc import Iterator

LONGEST = 8_000
"""Characters; a longer line comes in pieces."""


class Lines:
    """Takes bytes as they come. What is no UTF-8 becomes U+FFFD, also where a chunk cuts it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that are complete now; with `final`, also one without an end."""
        *whole, self._begun = (self._begun + self._decoder.decode(data, final)).split("\n")
        for line in whole:
            yield from _pieces(line.removesuffix("\r"))
        while len(self._begun) > LONGEST:
            yield self._begun[:LONGEST]
            self._begun = self._begun[LONGEST:]
        if final and self._begun:
            yield self._begun
            self._begun = ""


def _pieces(line: str) -> Iterator[str]:
    yield line[:LONGEST]
    for start in range(LONGEST, len(line), LONGEST):
        yield line[start : start + LONGEST]
