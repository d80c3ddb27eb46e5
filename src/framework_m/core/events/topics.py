"""Topics: where events are published, and patterns of them, as NATS has it.

A topic is words between dots: `doc.created`. In a pattern `*` is any one word, and `>` at the end
is one or more.
"""

from __future__ import annotations

import re
from functools import lru_cache

from framework_m.core.errors import TopicError

LONGEST = 200

_TOPIC = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PATTERN = re.compile(r"(([A-Za-z0-9_-]+|\*)\.)*([A-Za-z0-9_-]+|\*|>)")
_WORD = r"[^.]+"


@lru_cache(maxsize=1024)
def checked_topic(topic: str) -> str:
    """The topic. Raises TopicError."""
    if not _TOPIC.fullmatch(topic) or len(topic) > LONGEST:
        raise TopicError(topic, "a topic is words of A-Z a-z 0-9 _ - with dots between them")
    return topic


@lru_cache(maxsize=1024)
def checked_pattern(pattern: str) -> str:
    """The pattern. Raises TopicError."""
    if not _PATTERN.fullmatch(pattern) or len(pattern) > LONGEST:
        raise TopicError(pattern, "a pattern is a topic in which words may be *, and the last >")
    return pattern


def matches(pattern: str, topic: str) -> bool:
    """Whether the topic is one of the pattern's."""
    return _matcher(pattern).fullmatch(topic) is not None


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> re.Pattern[str]:
    words = {"*": _WORD, ">": rf"{_WORD}(\.{_WORD})*"}
    return re.compile(r"\.".join(words.get(part, re.escape(part)) for part in pattern.split(".")))


def ordering_key(doctype: str | None, doc_id: str | None) -> str | None:
    """What events of one document share; None for those of no document."""
    return None if doctype is None or doc_id is None else f"{doctype}/{doc_id}"
