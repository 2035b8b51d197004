"""Scripted fates: how long the next batches take and what becomes of their items."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Any

from core.sandbox.errors import TYPES, invalid

ERROR_STATUS = {name: status for status, name in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a batch, on the sandbox clock.

    `seconds`: its duration (None: as the sandbox is set up). `expire`: the share of its items that never end, so that
    the batch stays in progress for 24 hours and they expire then; 1 is a batch that is stuck. `errors`: shares of its
    items by the type of error with which they end. `cancel_seconds`: how long a cancellation takes.
    `missing_seconds`: how long after its creation it is answered with 404; `unlisted_seconds`: how long it is absent
    from the list. It is meant for the next `times` (None: all) batches of that `workspace` (None: any) whose first
    custom_id matches the regular expression `custom_id`.
    """

    times: int | None = 1
    workspace: str | None = None
    custom_id: str = ""
    seconds: float | None = None
    expire: float = 0
    errors: Mapping[str, float] = field(default_factory=dict)
    cancel_seconds: float | None = None
    missing_seconds: float = 0
    unlisted_seconds: float = 0

    def outcomes(self, batch_id: str, size: int) -> dict[int, str]:
        """The items that expire or end in an error whatever they ask, by position; the same ones every time.

        >>> sorted(Fate(expire=0.5, errors={"api_error": 0.25}).outcomes("msgbatch_1", 4).values())
        ['api_error', 'expired', 'expired']
        """
        if not self.expire and not self.errors:
            return {}
        order = Random(f"{batch_id} fates").sample(range(size), size)  # noqa: S311 (a choice, not a secret)
        found: dict[int, str] = {}
        for name, share in (("expired", self.expire), *self.errors.items()):
            for n in order[len(found) : len(found) + math.ceil(round(share * size, 6))]:
                found[n] = name
        return found


class Fates:
    """The fates that wait for their batches; the first one that matches is taken."""

    def __init__(self, otherwise: Fate) -> None:
        self._waiting: list[Fate] = []
        self._otherwise = otherwise

    def add(self, fate: Fate) -> int:
        """Script a fate; returns how many wait."""
        self._waiting.append(fate)
        return len(self._waiting)

    def take(self, workspace: str, first_id: str) -> Fate:
        """The fate of a new batch."""
        for n, fate in enumerate(self._waiting):
            if fate.workspace in (None, workspace) and re.search(fate.custom_id, first_id):
                if fate.times == 1:
                    del self._waiting[n]
                elif fate.times is not None:
                    self._waiting[n] = replace(fate, times=fate.times - 1)
                return fate
        return self._otherwise


def read_fate(document: Mapping[str, Any]) -> Fate:
    """A fate from JSON; ApiError for what none can have."""
    known = {each.name for each in fields(Fate)}
    for name, value in document.items():
        if name not in known or not _fits(name, value):
            raise invalid(f"batches: {name} = {value!r} is not something the fate of a batch can have")
    fate = Fate(**document)
    if fate.expire + sum(fate.errors.values()) > 1:
        raise invalid("batches: the shares of expire and errors are more than 1 together")
    return fate


def _fits(name: str, value: Any) -> bool:
    if name == "times":
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
    if name == "workspace":
        return value is None or isinstance(value, str)
    if name == "custom_id":
        return isinstance(value, str) and _compiles(value)
    if name == "errors":
        return isinstance(value, Mapping) and all(
            kind in ERROR_STATUS and _number(share, 1) for kind, share in value.items()
        )
    if name in ("seconds", "cancel_seconds") and value is None:
        return True
    return _number(value, 1 if name == "expire" else 1e9)


def _number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _compiles(pattern: str) -> bool:
    try:
        return bool(re.compile(pattern))
    except re.error:
        return False
