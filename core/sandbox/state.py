"""Everything that a running sandbox remembers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.sandbox.account import AccountGuard, Standing
from core.sandbox.batches import Batches
from core.sandbox.bill import Bill
from core.sandbox.clock import Clock
from core.sandbox.fates import Fate, Fates
from core.sandbox.faults import Faults
from core.sandbox.messages import Messages

LOG_ENTRIES = 50_000
"""How many requests the log goes back."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox behaves.

    `seed` stands in every id, so that two sandboxes with different seeds never give out the same one. `speed` is how
    many times as fast as real time its clock runs, from `start` on (None: now). `batch_seconds` is the typical
    duration of a batch on that clock (None: a realistic tail around ten minutes), `missing_seconds` how long a new
    batch is answered with 404. `tier`, `spend_limit_usd` and `balance_usd` limit the account (None: nothing does);
    `fault_rate` is the share of requests that fail by chance.
    """

    seed: str = "0"
    start: datetime | None = None
    speed: float = 1.0
    batch_seconds: float | None = None
    missing_seconds: float = 0.0
    tier: str | None = None
    spend_limit_usd: str | None = None
    balance_usd: str | None = None
    fault_rate: float = 0.0


class Sandbox:
    """One sandbox: its clock, messages, batches, bill, account, faults and log."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.reset()

    def reset(self) -> None:
        """Start again from nothing; ids start again, too."""
        options = self.options
        self.clock = Clock(options.start, options.speed)
        self.bill = Bill()
        self.messages = Messages(self.bill)
        fates = Fates(Fate(missing_seconds=options.missing_seconds))
        self.batches = Batches(self.messages, options.seed, options.batch_seconds, fates)
        standing = Standing(options.tier, options.spend_limit_usd, options.balance_usd)
        self.account = AccountGuard(standing, self.bill, self.clock)
        self.faults = Faults()
        if options.fault_rate:
            self.faults.add({"random": {"seed": options.seed, "rate": options.fault_rate}})
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_ENTRIES)
        self._numbers = {"msg": 0, "req": 0}

    def new_id(self, kind: str) -> str:
        """The next `msg` or `req` id."""
        self._numbers[kind] += 1
        return f"{kind}_sandbox_{self.options.seed}_{self._numbers[kind]:06d}"
