"""Everything that a running sandbox remembers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.sandbox.batches import Batches
from core.sandbox.bill import Bill
from core.sandbox.clock import Clock
from core.sandbox.faults import Faults
from core.sandbox.messages import Messages

LOG_ENTRIES = 50_000
"""How many requests the log goes back."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox behaves.

    `seed` stands in every id, so that two sandboxes with different seeds never give out the same one. `speed` is how
    many times as fast as real time its clock runs, from `start` on (None: now). `batch_seconds` is the typical
    duration of a batch on that clock (None: a realistic tail around ten minutes).
    """

    seed: str = "0"
    start: datetime | None = None
    speed: float = 1.0
    batch_seconds: float | None = None


class Sandbox:
    """One sandbox: its clock, messages, batches, bill, faults and log."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.reset()

    def reset(self) -> None:
        """Start again from nothing; ids start again, too."""
        self.clock = Clock(self.options.start, self.options.speed)
        self.bill = Bill()
        self.messages = Messages(self.bill)
        self.batches = Batches(self.messages, self.options.seed, self.options.batch_seconds)
        self.faults = Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_ENTRIES)
        self._numbers = {"msg": 0, "req": 0}

    def new_id(self, kind: str) -> str:
        """The next `msg` or `req` id."""
        self._numbers[kind] += 1
        return f"{kind}_sandbox_{self.options.seed}_{self._numbers[kind]:06d}"
