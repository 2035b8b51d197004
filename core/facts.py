"""The rows that the ledger answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Spend:
    """Requests counted and priced together.

    `cost_usd` leaves out unpriced requests, which are counted in `unpriced_requests`; `list_usd` is the
    same tokens at the synchronous price. `input_tokens` excludes cached input, as the API counts.
    """

    requests: int
    unpriced_requests: int
    estimated_requests: int
    batch_requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: Decimal
    list_usd: Decimal

    @property
    def saved_usd(self) -> Decimal:
        """What batching saved against the synchronous price of the same tokens."""
        return self.list_usd - self.cost_usd

    @property
    def has_price(self) -> bool:
        """False when there are requests and not one of them has a price: the cost is then unknown, not zero."""
        return self.unpriced_requests < self.requests or self.requests == 0


@dataclass(frozen=True, slots=True)
class SpendRow:
    """Spend of one model, workload, route or day; `key` is its name (a day is ISO text)."""

    key: str
    spend: Spend


@dataclass(frozen=True, slots=True)
class DailySpend:
    """Spend of one key on one day in the ledger's zone."""

    day: date
    key: str
    requests: int
    cost_usd: Decimal
    list_usd: Decimal


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Requests of one model that have no price, with the reason."""

    model: str
    reason: str
    requests: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One message batch as last observed; counts are items by final outcome.

    The four outcome counts stay 0 until the batch has ended, as in the API. `cost_usd` and `list_usd`
    are the sums over the `recorded_requests` items in the ledger, of which `unpriced_requests` have no price.
    """

    batch_id: str
    workload: str
    model: str | None
    status: str
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime
    cancel_initiated_at: datetime | None
    requests: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    unpriced_requests: int
    cost_usd: Decimal
    list_usd: Decimal
    results_path: str | None
    recorded_requests: int

    @property
    def has_cost(self) -> bool:
        """Whether the cost is known: the batch has ended, every item of it is recorded, and none lacks a price."""
        is_whole = self.recorded_requests == self.requests and not self.unpriced_requests
        return self.ended_at is not None and is_whole

    @property
    def saved_usd(self) -> Decimal:
        """What this batch saved against the synchronous price of the same tokens."""
        return self.list_usd - self.cost_usd


@dataclass(frozen=True, slots=True)
class Span:
    """First and newest request in the ledger, aware UTC."""

    first_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """Journal lines whose files were removed after a ledger had taken them in; the newest was written `until` then."""

    lines: int
    until: datetime


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """A journal line that could not become a fact; nothing of it is counted."""

    file: str
    line: int
    reason: str
