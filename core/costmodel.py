"""What a workload costs by each way of sending it: synchronous or as a batch, with the prompt cache or without.

The share of requests that find the shared prefix in the cache is the hit rate; the others write it. Hit rates of
30–98 % are reported for batches (platform.claude.com/docs/en/build-with-claude/batch-processing), whose requests run
side by side. List prices with global routing; web searches and other fees are not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_FLOOR, Decimal
from typing import Literal, NamedTuple

from core.money import plain_usd
from core.pricetable import Price
from core.pricing import BATCH_SHARE, PriceBook
from core.usage import Usage
from core.workloads import Workload

Ttl = Literal["5m", "1h"]
WayId = Literal["sync", "sync_cache", "batch", "batch_cache"]
Verdict = Literal["batch", "cached_sync", "depends", "unknown"]

REPORTED_HIT_RATES = Decimal("0.3"), Decimal("0.98")
MTOK = 1_000_000

# Tokens of the shortest prefix that is cached (platform.claude.com/docs/en/build-with-claude/prompt-caching, read
# 2026-11-22). A shorter one is not cached, without an error.
SHORTEST_PREFIX = {
    "claude-fable-5-2": 512,
    "claude-fable-5-1": 512,
    "claude-fable-5": 512,
    "claude-mythos-5-2": 512,
    "claude-mythos-5-1": 512,
    "claude-mythos-5": 512,
    "claude-opus-5-5": 512,
    "claude-opus-5": 512,
    "claude-opus-4-8": 1_024,
    "claude-opus-4-7": 2_048,
    "claude-opus-4-6": 4_096,
    "claude-opus-4-5-20251101": 4_096,
    "claude-sonnet-5": 1_024,
    "claude-sonnet-4-6": 1_024,
    "claude-sonnet-4-5-20250929": 1_024,
    "claude-haiku-5-5": 512,
    "claude-haiku-4-5-20251001": 4_096,
}
SURELY_CACHED = max(SHORTEST_PREFIX.values())
"""From this many tokens on a prefix is cached by every model; used where a model's own minimum is not documented."""


class Range(NamedTuple):
    """The lowest and the highest value that the hit rate allows; equal where it does not matter."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class RequestTokens:
    """Tokens of one request: the prefix that all share, its own input, its output with thinking."""

    shared_prefix: int
    own_input: int
    output: int

    @property
    def prompt(self) -> int:
        """The size of the prompt, which decides the prompt-size tier; cached tokens count."""
        return self.shared_prefix + self.own_input


@dataclass(frozen=True, slots=True)
class HitRates:
    """Shares of requests (0 to 1) that read the shared prefix from the cache, with the lifetime of what is written.

    None is not measured: `assumed` then gives the reported band to a batch and its upper end to synchronous requests,
    which follow one another, but no more than one write a run allows.
    """

    sync: Decimal | None = None
    batch: Range | None = None
    sync_ttl: Ttl = "5m"
    batch_ttl: Ttl = "5m"

    def assumed(self, requests_per_run: int | None) -> tuple[Decimal, Range]:
        """The synchronous hit rate and the band of the batch's.

        >>> HitRates().assumed(1_000), HitRates(sync=Decimal("0.5")).assumed(4)[1].high
        ((Decimal('0.98'), Range(low=Decimal('0.3'), high=Decimal('0.98'))), Decimal('0.7500'))
        """
        most = _most_hits(requests_per_run)
        low, high = (min(rate, most) for rate in REPORTED_HIT_RATES)
        sync = high if self.sync is None else self.sync
        return sync, Range(low, high) if self.batch is None else self.batch


@dataclass(frozen=True, slots=True)
class Way:
    """One way of sending a workload: USD for a request and for a month, None with the reason in `note`.

    `hit_rate` is what the amounts assume; the lowest amount belongs to the highest rate.
    """

    id: WayId
    request_usd: Range | None = None
    month_usd: Range | None = None
    hit_rate: Range | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The four ways side by side, on the prices of one UTC day.

    `verdict`: `cached_sync` where cached synchronous requests, at a stated hit rate, are cheaper than a batch without
    the cache and than one with it over its whole band; `depends` where they are cheaper at some hit rates; `batch`
    where they are not; `unknown` without amounts. `reason` says what is missing for the amounts of a month.
    `sync_break_even` is the hit rate from which cached synchronous requests are cheaper than a batch without the
    cache, `batch_break_even` the one from which a cached batch is cheaper than they are; None where there is none.
    """

    ways: tuple[Way, Way, Way, Way]
    verdict: Verdict
    reason: str
    price_ids: tuple[str, ...] = ()
    sync_break_even: Decimal | None = None
    batch_break_even: Decimal | None = None

    def way(self, way_id: WayId) -> Way:
        """One of the four."""
        return next(way for way in self.ways if way.id == way_id)

    @property
    def saving_usd_month(self) -> Decimal | None:
        """What a batch saves in a month against synchronous requests, both without the cache; None if not known."""
        sync, batch = self.way("sync").month_usd, self.way("batch").month_usd
        return sync.low - batch.low if sync and batch else None


def request_usd(
    tokens: RequestTokens, price: Price, *, batch: bool = False, hit_rate: Decimal | None = None, ttl: Ttl = "5m"
) -> Decimal:
    """Expected cost of one request in USD; a hit rate of None sends it without the cache.

    >>> price = PriceBook.load().price_for("claude-sonnet-5-5", date(2026, 11, 1))
    >>> tokens = RequestTokens(shared_prefix=8_000, own_input=500, output=300)
    >>> plain_usd(request_usd(tokens, price)), plain_usd(request_usd(tokens, price, hit_rate=Decimal("0.98")))
    ('0.02', '0.005184')
    """
    prefix = tokens.shared_prefix * prefix_rate(price, hit_rate, ttl)
    full = (prefix + tokens.own_input * price.input + tokens.output * price.output) / MTOK
    return full * BATCH_SHARE if batch else full


def prefix_rate(price: Price, hit_rate: Decimal | None, ttl: Ttl = "5m") -> Decimal:
    """Expected synchronous price of the shared prefix in USD per million tokens; None is without the cache."""
    if hit_rate is None:
        return price.input
    write = _write_rate(price, ttl)
    return write - (write - price.cache_read) * hit_rate


def break_even_hit_rate(tokens: RequestTokens, price: Price, ttl: Ttl = "5m") -> Decimal | None:
    """The hit rate above which cached synchronous requests cost less than a batch without the cache.

    None if even a rate of 1 is not enough. It is (w - 1 + 1/(2 phi))/(w - r), with phi the prefix's share of the
    uncached price and w and r the prices of a write and a read in units of the input price.
    """
    return hit_rate_for(request_usd(tokens, price, batch=True), tokens, price, ttl=ttl)


def hit_rate_for(
    target_usd: Decimal, tokens: RequestTokens, price: Price, *, batch: bool = False, ttl: Ttl = "5m"
) -> Decimal | None:
    """The hit rate (0 to 1) at which a cached request costs `target_usd`; None if there is none."""
    all_miss = request_usd(tokens, price, batch=batch, hit_rate=Decimal(0), ttl=ttl)
    all_hit = request_usd(tokens, price, batch=batch, hit_rate=Decimal(1), ttl=ttl)
    if all_miss == all_hit:
        return None
    rate = (all_miss - target_usd) / (all_miss - all_hit)
    return rate if 0 <= rate <= 1 else None


def break_even_prefix_share(
    price: Price,
    sync_hit_rate: Decimal,
    *,
    ttl: Ttl = "5m",
    batch_hit_rate: Decimal | None = None,
    batch_ttl: Ttl = "5m",
) -> Decimal | None:
    """The prefix's share of the uncached price above which cached synchronous requests cost less than a batch.

    A batch hit rate of None is a batch without the cache. None if no share below 1 is enough.
    """
    saved = batch_share_of_prefix(price, batch_hit_rate, batch_ttl) - prefix_rate(price, sync_hit_rate, ttl)
    if saved <= 0:
        return None
    share = 1 / (1 + saved / price.input / (1 - BATCH_SHARE))
    return share if share < 1 else None


def batch_share_of_prefix(price: Price, hit_rate: Decimal | None, ttl: Ttl = "5m") -> Decimal:
    """Expected price of the shared prefix in a batch, in USD per million tokens."""
    return prefix_rate(price, hit_rate, ttl) * BATCH_SHARE


def worthwhile_hit_rate(price: Price, ttl: Ttl = "5m") -> Decimal:
    """The hit rate above which caching the prefix costs less than sending it in full, in a batch or not."""
    write = _write_rate(price, ttl)
    return (write - price.input) / (write - price.cache_read)


def compare(workload: Workload, book: PriceBook, day: date, rates: HitRates | None = None) -> Comparison:
    """The four ways of sending a workload on the prices of a UTC day; amounts that need an unknown answer are None."""
    missing = _unanswered(workload, "model", "input_tokens", "output_tokens")
    if missing:
        return _no_amounts(f"No amounts: {missing} not given.")
    tokens = RequestTokens(workload.shared_prefix_tokens or 0, workload.input_tokens or 0, workload.output_tokens or 0)
    model = workload.model or ""
    price = book.price_for(model, day, tokens.prompt)
    if price is None:
        usage = Usage(input_tokens=tokens.prompt, output_tokens=tokens.output)
        return _no_amounts(book.cost(model, usage, datetime.combine(day, time(), UTC)).reason)
    return _Comparing(workload, tokens, price, rates or HitRates()).result()


class _Comparing:
    """A comparison on its way: one workload, one price."""

    def __init__(self, workload: Workload, tokens: RequestTokens, price: Price, rates: HitRates) -> None:
        self._tokens, self._price, self._rates = tokens, price, rates
        self._sync_hits, self._batch_hits = rates.assumed(workload.requests_per_run)
        self._missing = _unanswered(workload, "requests_per_run", "runs_per_month")
        self._requests = (workload.requests_per_run or 0) * (workload.runs_per_month or 0)
        self._no_cache = _why_not_cached(tokens.shared_prefix, price.model)

    def result(self) -> Comparison:
        sync, batch = self._plain(batch=False), self._plain(batch=True)
        sync_cache = self._cached("sync_cache", Range(self._sync_hits, self._sync_hits))
        batch_cache = self._cached("batch_cache", self._batch_hits)
        break_even = None if self._no_cache else break_even_hit_rate(self._tokens, self._price, self._rates.sync_ttl)
        return Comparison(
            ways=(sync, sync_cache, batch, batch_cache),
            verdict=self._verdict(batch, sync_cache, batch_cache),
            reason=f"No amounts for a month: {self._missing} not given." if self._missing else "",
            price_ids=(self._price.price_id,),
            sync_break_even=break_even,
            batch_break_even=self._batch_break_even(sync_cache),
        )

    def _plain(self, *, batch: bool) -> Way:
        cost = request_usd(self._tokens, self._price, batch=batch)
        way_id: WayId = "batch" if batch else "sync"
        return Way(way_id, Range(cost, cost), self._month(Range(cost, cost)))

    def _cached(self, way_id: WayId, hits: Range) -> Way:
        if self._no_cache:
            return Way(way_id, note=self._no_cache)
        batch = way_id == "batch_cache"
        ttl = self._rates.batch_ttl if batch else self._rates.sync_ttl
        best, worst = (
            request_usd(self._tokens, self._price, batch=batch, hit_rate=rate, ttl=ttl)
            for rate in (hits.high, hits.low)
        )
        measured = (self._rates.batch if batch else self._rates.sync) is not None
        pays = f"caching pays above a hit rate of {percent(worthwhile_hit_rate(self._price, ttl))}"
        note = f"{'hit rate as given' if measured else 'assumed hit rate, so measure it with one run'}; {pays}"
        return Way(way_id, Range(best, worst), self._month(Range(best, worst)), hits, note)

    def _month(self, request: Range) -> Range | None:
        return None if self._missing else Range(request.low * self._requests, request.high * self._requests)

    def _batch_break_even(self, sync_cache: Way) -> Decimal | None:
        if sync_cache.request_usd is None:
            return None
        target = sync_cache.request_usd.low
        return hit_rate_for(target, self._tokens, self._price, batch=True, ttl=self._rates.batch_ttl)

    def _verdict(self, batch: Way, sync_cache: Way, batch_cache: Way) -> Verdict:
        if not (batch.request_usd and sync_cache.request_usd and batch_cache.request_usd):
            return "batch"
        sync_usd = sync_cache.request_usd.low
        if sync_usd >= min(batch.request_usd.low, batch_cache.request_usd.high):
            return "batch"
        if self._rates.sync is not None and sync_usd < batch_cache.request_usd.low:
            return "cached_sync"
        return "depends"


def dollars(amount: Decimal) -> str:
    """An amount for a sentence: cents, below a dollar three digits that count.

    >>> dollars(Decimal("155.52")), dollars(Decimal("0.005184")), dollars(Decimal("1234.5")), dollars(Decimal(0))
    ('$155.52', '$0.00518', '$1,234.50', '$0')
    """
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${plain_usd(Decimal(f'{amount:.2e}'))}"


def percent(share: Decimal) -> str:
    """A share of one for a sentence, to a tenth of a percent.

    >>> percent(Decimal("0.98")), percent(Decimal("0.729166"))
    ('98%', '72.9%')
    """
    return f"{plain_usd((share * 100).quantize(Decimal('0.1')))}%"


def span(values: Range, shown: Callable[[Decimal], str]) -> str:
    """A range for a sentence, one value where both ends read the same.

    >>> span(Range(Decimal("77.76"), Decimal("273.6")), dollars), span(Range(Decimal("0.5"), Decimal("0.5")), percent)
    ('$77.76 to $273.60', '50%')
    """
    low, high = shown(values.low), shown(values.high)
    return low if low == high else f"{low} to {high}"


def _most_hits(requests_per_run: int | None) -> Decimal:
    """The highest hit rate of a run whose first request has to write, rounded down."""
    if requests_per_run is None:
        return Decimal(1)
    if requests_per_run < 2:
        return Decimal(0)
    share = Decimal(requests_per_run - 1) / requests_per_run
    return share.quantize(Decimal("0.0001"), ROUND_FLOOR)


def _write_rate(price: Price, ttl: Ttl) -> Decimal:
    return price.cache_write_5m if ttl == "5m" else price.cache_write_1h


def _why_not_cached(prefix: int, model: str) -> str:
    """Why caching does nothing for a prefix, empty if it does something."""
    if not prefix:
        return "no shared prefix is given, so there is nothing to cache"
    least = SHORTEST_PREFIX.get(model)
    if least is not None and prefix < least:
        return f"the cache of {model} takes prefixes from {least:,} tokens; {prefix:,} are silently not cached"
    if least is None and prefix < SURELY_CACHED:
        return f"the shortest prefix that {model} caches is not documented, and {prefix:,} tokens may be too short"
    return ""


def _unanswered(workload: Workload, *keys: str) -> str:
    """The keys among these that have no answer, with their verb; empty if there are none.

    >>> _unanswered(Workload(output_tokens=9), "model", "input_tokens", "output_tokens")
    'model and input_tokens are'
    """
    names = [key for key in keys if getattr(workload, key) is None]
    if len(names) < 2:
        return f"{names[0]} is" if names else ""
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def _no_amounts(reason: str) -> Comparison:
    sync, sync_cache, batch, batch_cache = (
        Way("sync", note=reason),
        Way("sync_cache", note=reason),
        Way("batch", note=reason),
        Way("batch_cache", note=reason),
    )
    return Comparison((sync, sync_cache, batch, batch_cache), "unknown", reason)
