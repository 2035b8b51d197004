"""The account behind the keys: its tier's limits, its money, and whether it may send anything.

platform.claude.com/docs/en/api/rate-limits and …/api/errors
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from core.sandbox.bill import Bill, read_usd, usd_text
from core.sandbox.clock import Clock, iso
from core.sandbox.errors import ApiError, invalid

MINUTE = timedelta(minutes=1)
_BATCHES = "/v1/messages/batches"


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits of a usage tier: requests a minute by pool, batch items that may wait, USD a month."""

    per_minute: Mapping[str, int]
    queue: int
    month_usd: int


TIERS = {
    "start": Tier({"batches": 1_000, "messages": 1_000, "count_tokens": 2_000}, 200_000, 500),
    "build": Tier({"batches": 2_000, "messages": 5_000, "count_tokens": 4_000}, 300_000, 1_000),
    "scale": Tier({"batches": 4_000, "messages": 10_000, "count_tokens": 8_000}, 500_000, 200_000),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the account stands; amounts are plain decimal text in USD.

    `tier` is a name in TIERS (None: no limits at all). `spend_limit_usd` is the monthly limit that the owner set;
    `balance_usd` what was paid in advance, from which the bill from then on is taken; `empty_balance_status` is the
    status with which an empty one is answered. `spent_usd` counts as spent beside the bill in the month it was set in.
    """

    tier: str | None = None
    spend_limit_usd: str | None = None
    balance_usd: str | None = None
    empty_balance_status: int = 402
    spent_usd: str = "0"
    on_hold: bool = False


class AccountGuard:
    """Lets requests of the account through as long as its limits allow."""

    def __init__(self, standing: Standing, bill: Bill, clock: Clock) -> None:
        self.standing = standing
        self._bill = bill
        self._clock = clock
        self._paid_at = 0
        self._spent_in = (0, 0)
        self._minute: dict[str, deque[datetime]] = {}

    def change(self, document: Mapping[str, Any]) -> Standing:
        """Set some of the fields of the standing; ApiError for what they cannot be."""
        known = {each.name for each in fields(Standing)}
        for name, value in document.items():
            if name not in known or not _CHECKS[name](value):
                raise invalid(f"account: {name} = {value!r} is not something an account can have")
        self.standing = replace(self.standing, **document)
        if "balance_usd" in document:
            self._paid_at = self._bill.pico_usd
        if "spent_usd" in document:
            self._spent_in = _month_of(self._clock.now())
        return self.standing

    def show(self) -> dict[str, Any]:
        """The standing and what is left, as `GET /sandbox/account` answers it."""
        standing = self.standing
        left = None if standing.balance_usd is None else usd_text(max(self._balance(standing.balance_usd), 0))
        shown = {each.name: getattr(standing, each.name) for each in fields(Standing)}
        return {"sandbox": True, **shown, "balance_left_usd": left, "month_usd": usd_text(self._month())}

    def minds_spending(self, method: str, path: str) -> bool:
        """Whether a request may be refused for what was spent."""
        limits = self.standing.tier, self.standing.spend_limit_usd, self.standing.balance_usd
        return method == "POST" and path in ("/v1/messages", _BATCHES) and any(limit is not None for limit in limits)

    def admit(self, method: str, path: str) -> dict[str, str]:
        """The rate-limit headers for a request that may go on; ApiError for one that may not."""
        if self.standing.on_hold:
            message = "This organization has been disabled. (sandbox)"
            raise ApiError(400, message, code="organization_on_hold")
        headers = self._count(method, path)
        if self.minds_spending(method, path):
            self._check_money()
        return headers

    def check_queue(self, waiting: int, more: int) -> None:
        """ApiError if a batch of that many items has no room behind those that wait."""
        tier = TIERS.get(self.standing.tier or "")
        if tier is not None and waiting + more > tier.queue:
            raise ApiError(
                429,
                f"This batch would bring the requests in the processing queue to {waiting + more:,}; your tier allows "
                f"{tier.queue:,}. Wait until batches have ended. (sandbox)",
            )

    def _count(self, method: str, path: str) -> dict[str, str]:
        tier, pool = TIERS.get(self.standing.tier or ""), _pool(method, path)
        if tier is None or pool is None:
            return {}
        now, limit = self._clock.now(), tier.per_minute[pool]
        recent = self._minute.setdefault(pool, deque())
        while recent and recent[0] <= now - MINUTE:
            recent.popleft()
        refused = len(recent) >= limit
        if not refused:
            recent.append(now)
        headers = {
            "anthropic-ratelimit-requests-limit": str(limit),
            "anthropic-ratelimit-requests-remaining": str(limit - len(recent)),
            "anthropic-ratelimit-requests-reset": str(iso(recent[0] + MINUTE)),
        }
        if refused:
            wait = (recent[0] + MINUTE - now).total_seconds() / self._clock.speed
            headers["retry-after"] = str(max(math.ceil(wait), 1))
            what = f"This request would exceed your limit of {limit:,} requests per minute for {pool}. (sandbox)"
            raise ApiError(429, what, headers=headers)
        return headers

    def _check_money(self) -> None:
        standing, now = self.standing, self._clock.now()
        tier = TIERS.get(standing.tier or "")
        back = f"{now.year + now.month // 12}-{now.month % 12 + 1:02}-01 at 00:00 UTC"
        if standing.balance_usd is not None and self._balance(standing.balance_usd) <= 0:
            message = "Your credit balance is too low to access the API. Please purchase credits. (sandbox)"
            raise ApiError(standing.empty_balance_status, message)
        if standing.spend_limit_usd is not None and self._month() >= read_usd(standing.spend_limit_usd):
            raise invalid(
                f"You have reached your specified API usage limits. You will regain access on {back}. (sandbox)"
            )
        if tier is not None and self._month() >= read_usd(str(tier.month_usd)):
            message = f"You have reached the monthly spend limit of your usage tier, until {back}. (sandbox)"
            raise ApiError(429, message, code="enforced_spend_limit_reached")

    def _month(self) -> int:
        now = self._clock.now()
        beside = read_usd(self.standing.spent_usd) if _month_of(now) == self._spent_in else 0
        return self._bill.month_pico_usd(now) + beside

    def _balance(self, paid: str) -> int:
        return read_usd(paid) - (self._bill.pico_usd - self._paid_at)


def _month_of(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


def _pool(method: str, path: str) -> str | None:
    """The requests with which a request shares its limit."""
    if path == _BATCHES or path.startswith(f"{_BATCHES}/"):
        return "batches"
    return {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens"}.get(
        path if method == "POST" else ""
    )


def _amount(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,12})?", value) is not None


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "tier": lambda value: value is None or (isinstance(value, str) and value in TIERS),
    "spend_limit_usd": lambda value: value is None or _amount(value),
    "balance_usd": lambda value: value is None or _amount(value),
    "empty_balance_status": lambda value: value in (400, 402) and not isinstance(value, bool),
    "spent_usd": _amount,
    "on_hold": lambda value: isinstance(value, bool),
}
