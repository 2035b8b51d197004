"""Scripted faults: what goes wrong with which requests, as tests and drills ask for it.

A fault is JSON: `{"method": "POST", "path": "/v1/messages", "times": 2, "kind": "status", "status": 529}`. A `path`
that ends in `*` is a prefix, one that starts with `^` a regular expression, any other the whole path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from core.sandbox.errors import ApiError, invalid

KINDS = ("status", "close", "truncate")
WHENS = ("before", "after_accept")


@dataclass(slots=True)
class Fault:
    """One fault and how often it is still to happen.

    `kind`: `status` answers with an error, `close` ends the connection without an answer, `truncate` sends the first
    `bytes` of the real body and then ends the connection. `when`: `before` the request takes effect, or
    `after_accept`, where it takes effect (and is billed) although its answer never arrives; a `truncate` always
    takes effect.
    """

    method: str = "*"
    path: str = "*"
    times: int = 1
    kind: str = "status"
    when: str = "before"
    status: int = 500
    error_type: str | None = None
    message: str = "A fault that the sandbox was told to make"
    headers: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether this fault is meant for a request."""
        if self.method not in ("*", method):
            return False
        if self.path.startswith("^"):
            return re.search(self.path, path) is not None
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out before the fault happens."""
        return self.kind == "truncate" or self.when == "after_accept"

    @property
    def error(self) -> ApiError:
        """The error that a `status` fault answers with."""
        return ApiError(self.status, self.message, self.error_type)


class Faults:
    """The faults that are still to happen; the first one that matches a request is taken."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, document: object) -> list[Fault]:
        """Script faults from JSON: one, a list of them, or a list under `faults`."""
        if isinstance(document, dict) and "faults" in document:
            document = document["faults"]
        faults = [_read(entry) for entry in (document if isinstance(document, list) else [document])]
        self._waiting += faults
        return list(self._waiting)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that happens to a request now, if one does."""
        fault = next((fault for fault in self._waiting if fault.matches(method, path)), None)
        if fault is not None:
            fault.times -= 1
            self._waiting = [waiting for waiting in self._waiting if waiting.times > 0]
        return fault


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "method": lambda value: isinstance(value, str),
    "path": lambda value: isinstance(value, str) and _compiles(value),
    "times": lambda value: _whole(value) and value >= 1,
    "kind": lambda value: value in KINDS,
    "when": lambda value: value in WHENS,
    "status": lambda value: _whole(value) and 400 <= value <= 599,
    "error_type": lambda value: value is None or isinstance(value, str),
    "message": lambda value: isinstance(value, str),
    "headers": lambda value: isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()),
    "bytes": lambda value: _whole(value) and value >= 0,
}


def _read(entry: object) -> Fault:
    if not isinstance(entry, dict):
        raise invalid("faults: Input should be a dictionary or a list of them")
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
