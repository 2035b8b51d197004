"""Scripted faults: what goes wrong with which requests, as tests and drills ask for it.

A fault is JSON: `{"method": "POST", "path": "/v1/messages", "times": 2, "kind": "status", "status": 529}`. A `path`
that ends in `*` is a prefix, one that starts with `^` a regular expression, any other the whole path. docs/sandbox.md
has examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from core.sandbox.errors import ApiError, invalid
from core.sandbox.fault_presets import PRESETS
from core.sandbox.random_faults import RandomFaults

KINDS = ("status", "close", "truncate", "delay", "stall", "drip", "event")
WHENS = ("unread", "before", "after_accept")
ENDINGS = ("cut", "clean", "reset")
LONGEST_SECONDS = 3_600.0


@dataclass(slots=True)
class Fault:
    """One fault and how often it is still to happen, after `skip` requests that it lets pass.

    `kind`: `status` answers with an error, or with `body` as it stands; `close` ends the connection without an
    answer; `truncate` sends the first `bytes` of the real body and then ends it; `delay` waits `seconds` before the
    answer; `stall` waits them after `bytes` of the body; `drip` waits them before every `bytes` of it; `event` puts an
    error event into a stream once `bytes` of it were sent. Seconds are real ones.

    `when` a status or close happens: `unread`, while the client still sends; `before` the request takes effect; or
    `after_accept`, where it takes effect (and is billed) although its answer never arrives. The other kinds always
    take effect. `ending`: `cut` closes the connection in the middle of the answer, `reset` breaks it, `clean` ends a
    truncated answer as if it were whole.
    """

    method: str = "*"
    path: str = "*"
    skip: int = 0
    times: int = 1
    kind: str = "status"
    when: str = "before"
    status: int = 500
    error_type: str | None = None
    error_code: str | None = None
    message: str = "A fault that the sandbox was told to make"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    bytes: int = 0
    seconds: float = 0.0
    ending: str = "cut"

    def matches(self, method: str, path: str) -> bool:
        """Whether this fault is meant for a request."""
        if self.method not in ("*", method):
            return False
        if self.path.startswith("^"):
            return re.search(self.path, path) is not None
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path

    @property
    def error(self) -> ApiError:
        """The error that a `status` or an `event` answers with."""
        return ApiError(self.status, self.message, self.error_type, self.error_code, self.headers)


class Faults:
    """The faults that are still to happen: the first one that matches a request, else one by chance."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._random: RandomFaults | None = None

    def add(self, document: object) -> list[Fault]:
        """Script faults from JSON: one, a list of them, either under `faults`, or a schedule under `random`."""
        if isinstance(document, dict) and set(document) == {"random"}:
            self._random = None if document["random"] is None else RandomFaults(document["random"])
            return list(self._waiting)
        if isinstance(document, dict) and "faults" in document:
            document = document["faults"]
        faults = [_read(entry) for entry in (document if isinstance(document, list) else [document])]
        self._waiting += faults
        return list(self._waiting)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting, self._random = [], None

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that happens to a request now, if one does."""
        for fault in self._waiting:
            if fault.matches(method, path):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                self._waiting = [waiting for waiting in self._waiting if waiting.times > 0]
                return fault
        drawn = self._random.draw(method, path) if self._random else None
        return None if drawn is None else _read(drawn)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "method": lambda value: isinstance(value, str),
    "path": lambda value: isinstance(value, str) and _compiles(value),
    "skip": lambda value: _whole(value) and value >= 0,
    "times": lambda value: _whole(value) and value >= 1,
    "kind": lambda value: value in KINDS,
    "when": lambda value: value in WHENS,
    "status": lambda value: _whole(value) and 400 <= value <= 599,
    "error_type": lambda value: value is None or isinstance(value, str),
    "error_code": lambda value: value is None or isinstance(value, str),
    "message": lambda value: isinstance(value, str),
    "headers": lambda value: isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()),
    "body": lambda value: value is None or isinstance(value, str),
    "bytes": lambda value: _whole(value) and value >= 0,
    "seconds": lambda value: (_whole(value) or isinstance(value, float)) and 0 <= value <= LONGEST_SECONDS,
    "ending": lambda value: value in ENDINGS,
}


def _read(entry: object) -> Fault:
    if not isinstance(entry, dict):
        raise invalid("faults: Input should be a dictionary or a list of them")
    if "preset" in entry:
        if entry["preset"] not in PRESETS:
            raise invalid(f"faults: preset = {entry['preset']!r} is none of {', '.join(PRESETS)}")
        rest = {name: value for name, value in entry.items() if name != "preset"}
        entry = {**PRESETS[entry["preset"]], **rest}
    known = {each.name for each in fields(Fault)}
    for name, value in entry.items():
        if name not in known or not _CHECKS[name](value):
            raise invalid(f"faults: {name} = {value!r} is not something a fault can have")
    return Fault(**entry)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _compiles(pattern: str) -> bool:
    try:
        return not pattern.startswith("^") or bool(re.compile(pattern))
    except re.error:
        return False
