"""Markers: what a prompt asks of the sandbox, such as `[sandbox:overloaded:once]`.

They stand anywhere in the prompt. docs/sandbox.md lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.sandbox.errors import ApiError, invalid

OPENING = "[sandbox:"
_MARKER = re.compile(r"\[sandbox:([a-z_]+)((?::[a-zA-Z0-9_-]*)*)\]")
CATEGORIES = ("cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms")

FAILURES = {
    "invalid": (400, "messages: refused by its sandbox marker"),
    "authentication": (401, "Authentication failed, as its sandbox marker asks"),
    "billing": (402, "Your credit balance is too low, as its sandbox marker asks"),
    "permission": (403, "Not permitted, as its sandbox marker asks"),
    "not_found": (404, "Not found, as its sandbox marker asks"),
    "too_large": (413, "Request too large, as its sandbox marker asks"),
    "rate_limit": (429, "Rate limited, as its sandbox marker asks"),
    "api_error": (500, "Internal server error, as its sandbox marker asks"),
    "timeout": (504, "Timed out, as its sandbox marker asks"),
    "overloaded": (529, "Overloaded"),
}
"""The errors that a marker can ask for, by its name; in a batch the item ends as errored."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal of one category (None: the API names none), before any output or `midway` through it."""

    category: str | None
    midway: bool


@dataclass(frozen=True, slots=True)
class Markers:
    """What a prompt asks for; None and False where it says nothing.

    `failure` is a name in FAILURES; `fails_once` spares the same prompt the second time. `refusals` are those of the
    requested model and of its fallbacks, in this order. `tokens` is the length of the answer, `thinking` that of the
    thinking, `searches` the number of web searches; `tools` names those to call, an empty name the first one.
    """

    failure: str | None = None
    fails_once: bool = False
    refusals: tuple[Refusal, ...] = ()
    tokens: int | None = None
    thinking: int | None = None
    searches: int | None = None
    searches_fail: bool = False
    tools: tuple[str, ...] = ()
    advisor: bool = False
    compaction: bool = False
    pause: bool = False
    context: bool = False
    priority: bool = False


NO_MARKERS = Markers()


def read_markers(text: str) -> Markers:
    """The markers in a text; ApiError for one that the sandbox does not know.

    >>> read_markers("[sandbox:refuse:bio:midway] and [sandbox:search:2]").searches
    2
    """
    markers = NO_MARKERS
    for name, words in _MARKER.findall(text):
        if name in FAILURES:
            markers = _fail(markers, name, words[1:])
        elif name in _READERS:
            markers = _READERS[name](markers, words[1:])
        else:
            raise invalid(f"[sandbox:{name}] is not a marker of the sandbox")
    return markers


def _fail(markers: Markers, name: str, words: str) -> Markers:
    if words not in ("", "once"):
        raise _unknown(name, words)
    return replace(markers, failure=name, fails_once=words == "once")


def _refuse(markers: Markers, words: str) -> Markers:
    given = [word for word in words.split(":") if word]
    midway = "midway" in given
    categories = [word for word in given if word != "midway"]
    if len(categories) > 1 or not set(categories) <= set(CATEGORIES):
        raise _unknown("refuse", words)
    refusal = Refusal(categories[0] if categories else None, midway)
    return replace(markers, refusals=(*markers.refusals, refusal))


def _number(name: str, words: str) -> int:
    if not words.isascii() or not words.isdecimal() or len(words) > 6:
        raise _unknown(name, words)
    return int(words)


def _nothing_more(name: str, words: str) -> bool:
    if words:
        raise _unknown(name, words)
    return True


def _unknown(name: str, words: str) -> ApiError:
    return invalid(f"[sandbox:{name}:{words}] is not something this marker of the sandbox can say")


_READERS: dict[str, Callable[[Markers, str], Markers]] = {
    "refuse": _refuse,
    "tokens": lambda markers, words: replace(markers, tokens=_number("tokens", words)),
    "think": lambda markers, words: replace(markers, thinking=_number("think", words)),
    "search": lambda markers, words: replace(markers, searches=_number("search", words)),
    "search_error": lambda markers, words: replace(markers, searches_fail=_nothing_more("search_error", words)),
    "tool": lambda markers, words: replace(markers, tools=(*markers.tools, words)),
    "advisor": lambda markers, words: replace(markers, advisor=_nothing_more("advisor", words)),
    "compact": lambda markers, words: replace(markers, compaction=_nothing_more("compact", words)),
    "pause": lambda markers, words: replace(markers, pause=_nothing_more("pause", words)),
    "context": lambda markers, words: replace(markers, context=_nothing_more("context", words)),
    "priority": lambda markers, words: replace(markers, priority=_nothing_more("priority", words)),
    "expire": lambda markers, _words: markers,  # read when a batch is created
}
NAMES = (*FAILURES, *_READERS)
