"""A seeded schedule of faults, for drills in which anything may fail at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from core.sandbox.errors import invalid
from core.sandbox.fault_presets import PASSING, PRESETS

MOST_BYTES = 4_000
"""The longest start of an answer after which a fault drawn by chance cuts or halts it."""
_DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "rate": 0.1,
    "kinds": list(PASSING),
    "most": None,
    "prefix": "/v1/",
    "seconds": None,
    "headers": {},
}


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "seed": lambda value: isinstance(value, int | str),
    "rate": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
    "kinds": lambda value: isinstance(value, list) and value != [] and all(kind in list(PRESETS) for kind in value),
    "most": lambda value: value is None or (isinstance(value, int) and value >= 0),
    "prefix": lambda value: isinstance(value, str),
    "seconds": lambda value: value is None or (isinstance(value, int | float) and value >= 0),
    "headers": lambda value: isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()),
}


class RandomFaults:
    """Faults by chance: each request fails with probability `rate`, in one of the `kinds` (names of presets).

    The draw depends on the `seed`, on the request's method and path, and on how many requests for them there were, so
    that a schedule is the same however requests for different paths interleave. At most `most` faults happen (None:
    no end), to paths that start with `prefix`. `seconds` replaces those of the presets; `headers` go with their errors.
    """

    def __init__(self, document: object) -> None:
        """ApiError for a schedule that cannot be."""
        if not isinstance(document, Mapping) or not set(document) <= set(_DEFAULTS):
            raise invalid(f"faults: a random schedule can have {', '.join(_DEFAULTS)}")
        schedule = {**_DEFAULTS, **document}
        for name, fits in _CHECKS.items():
            if not fits(schedule[name]):
                raise invalid(f"faults: {name} = {schedule[name]!r} is not something a random schedule can have")
        self._schedule = schedule
        self._seen: Counter[tuple[str, str]] = Counter()
        self._left = schedule["most"]

    def draw(self, method: str, path: str) -> dict[str, Any] | None:
        """The fault for the next request of this method and path, as JSON would script it."""
        if not path.startswith(self._schedule["prefix"]):
            return None
        n = self._seen[method, path]
        self._seen[method, path] += 1
        random = Random(f"{self._schedule['seed']} {method} {path} {n}")  # noqa: S311 (a drill, not a secret)
        if random.random() >= self._schedule["rate"] or self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        return self._vary(random.choice(self._schedule["kinds"]), random)

    def _vary(self, name: str, random: Random) -> dict[str, Any]:
        fault = dict(PRESETS[name])
        if fault.get("kind") in ("truncate", "stall"):
            fault["bytes"] = random.randrange(MOST_BYTES)
        if "seconds" in fault and self._schedule["seconds"] is not None:
            fault["seconds"] = self._schedule["seconds"]
        if fault.get("kind", "status") == "status":
            fault["headers"] = {**fault.get("headers", {}), **self._schedule["headers"]}
        return fault
