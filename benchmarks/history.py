"""Makes homes with a long history: `python -m benchmarks.history 10_000_000 FOLDER` makes one of ten million requests.

The requests are made and priced by DuckDB itself, many times faster than through a journal, and stand in the same
tables with the same roll-ups. Two years up to now, twenty workloads, five models; four in ten requests are batch items,
five in a thousand failed, one in a thousand has no price.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core import __version__
from core.ledger.prices import keep_new_prices, load_prices
from core.ledger.rollups import add_to_rollups
from core.ledger.store import open_to_write, transaction, write_meta
from core.pricing import PriceBook
from core.settings import change_setting, mark_home

YEARS = timedelta(days=730)
PART = 2_000_000
"""Requests that are made in one transaction."""
ITEMS = 2_000
"""Requests between the first and the last item of a batch."""

# Ids have the length and the alphabet of the API's, so that they take as much room.
_REQUESTS = """
create or replace temp table made as
with numbered as (
    select
        n, hash(n) as h, hash(n * 7 + 1) as h2, hash(n * 13 + 5) as h3,
        $since::timestamptz + to_microseconds((n * $step_us)::bigint) as moment,
        $since::timestamptz + to_microseconds((n // $items * $items * $step_us)::bigint) as batch_at
    from range($first, $first + $count) as numbers(n)
), placed as (
    select
        *, (h % 20)::integer as w, if(h2 % 10 < 4, 'batch', 'sync') as route, h3 % 1000 >= 5 as is_good,
        if(route = 'batch', batch_at, moment) as sent,
        translate(to_base64(unhex(md5('m' || n) || md5('r' || n))), '+/=', 'xy') as letters
    from numbered
)
select
    format(
        '{:08x}-{:04x}-7{}-a{}-{}', epoch_ms(sent) >> 16, epoch_ms(sent) & 65535,
        md5(n::varchar)[1:3], md5(n::varchar)[4:6], md5(n::varchar)[7:18]
    )::uuid as request_id,
    if(is_good, 'msg_01' || letters[1:22], null) as message_id,
    if(route = 'sync', 'req_011C' || letters[23:42], null) as api_request_id,
    if(
        route = 'batch',
        'msgbatch_01' || translate(to_base64(unhex(md5((n // $items) || 'b' || w))), '+/=', 'xy')[1:22],
        null
    ) as batch_id,
    if(route = 'batch', 'item-' || n, null) as custom_id,
    'workload-' || w as workload,
    [
        'claude-sonnet-5-5', 'claude-haiku-5-5', 'claude-opus-5-5', 'claude-sonnet-4-5-20250929',
        'claude-haiku-4-5-20251001'
    ][1 + w % 5] as wanted,
    route,
    if(is_good, 'succeeded', if(route = 'batch' and n % 2 = 0, 'expired', 'errored')) as status,
    if(is_good, if(h3 % 20 = 0, 'max_tokens', 'end_turn'), null) as stop_reason,
    if(status = 'errored', 'overloaded_error', null) as error_type,
    sent as sent_at, false as time_assumed,
    sent + to_milliseconds((500 + if(route = 'batch', hash(batch_id), h2) % 20000)::bigint) as ended_at,
    1 as attempts, 'capture' as source, if(h % 3 = 0, '{"env":"production"}', null) as tags,
    if(is_good, 200 + (h % 3000), 0)::bigint as input_tokens,
    if(is_good, 50 + (h2 % 900), 0)::bigint as output_tokens,
    if(is_good and w % 2 = 0, 4000, 0)::bigint as cache_read_tokens,
    if(is_good and h % 50 = 0, 4000, 0)::bigint as cache_write_5m_tokens,
    0::bigint as cache_write_1h_tokens, 0::bigint as web_searches,
    'standard' as speed, if(route = 'batch', 'batch', 'standard') as service_tier, 'global' as inference_geo,
    if(route = 'sync', h % 4 = 0, null) as streamed, false as incomplete,
    n % 1000 = 999 as is_unknown
from placed
"""

# A model that did not exist yet is served by the one of that day which had a price.
_PRICED = """
create or replace temp table fresh as
with named as (
    select made.* exclude (wanted, is_unknown),
        case
            when is_unknown then 'claude-next'
            when exists (select 1 from price_ranges as p where p.model = wanted and sent_at >= p.from_at) then wanted
            when sent_at >= '2025-10-15T00:00:00Z'::timestamptz then 'claude-haiku-4-5-20251001'
            else 'claude-opus-4-20250514'
        end as model
    from made
), priced as (
    select named.*, price.price_id, tokens_usd(
        price, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
    ) as full_usd
    from named left join price_ranges as price
        on price.model = named.model and price.speed = named.speed
        and sent_at >= price.from_at and sent_at < price.to_at
        and price.prompt_over < input_tokens + cache_read_tokens + cache_write_5m_tokens
        and input_tokens + cache_read_tokens + cache_write_5m_tokens <= price.prompt_up_to
)
select
    priced.* exclude (full_usd, price_id),
    if(status = 'succeeded', price_id, null) as price_id,
    if(status <> 'succeeded' or price_id is not null, 'priced', 'unpriced') as price_status, false as estimated,
    case
        when status <> 'succeeded' then status || ' requests are not billed'
        when price_id is null then 'No price is known for the model ''claude-next''.'
    end as reason,
    if(status <> 'succeeded', 0, full_usd * tier_share(service_tier))::decimal(18, 12) as cost_usd
from priced order by sent_at, batch_id
"""

_BATCHES = """
insert into batches by name
select
    batch_id, min(workload) as workload, min(model) as model, 'ended' as status, min(sent_at) as created_at,
    min(sent_at) + to_seconds(120 + (hash(batch_id) % 5000)::bigint) as ended_at,
    min(sent_at) + interval 24 hours as expires_at, count(*) as requests,
    count(*) filter (where status = 'succeeded') as succeeded, count(*) filter (where status = 'errored') as errored,
    0 as canceled, count(*) filter (where status = 'expired') as expired, max(ended_at) as observed_at
from fresh where batch_id is not null group by batch_id
"""


def make_home(home: Path, requests: int, now: datetime | None = None) -> Path:
    """Fill a new home with that many requests, the newest just before `now`; the home."""
    change_setting(home, "time_zone", "UTC")
    mark_home(home, "sandbox")
    until = now or datetime.now(UTC)
    step_us = YEARS / timedelta(microseconds=1) / requests
    with open_to_write(home) as connection:
        load_prices(connection, PriceBook.load())
        keep_new_prices(connection)
        write_meta(connection, {"time_zone": "UTC", "time_zone_from": "settings", "read_by": __version__})
        for first in range(0, requests, PART):
            connection.execute(
                _REQUESTS,
                {
                    "since": until - YEARS,
                    "step_us": step_us,
                    "first": first,
                    "count": min(PART, requests - first),
                    "items": ITEMS,
                },
            )
            connection.execute(_PRICED)
            with transaction(connection):
                connection.execute("insert into requests by name from fresh")
                connection.execute(_BATCHES)
                add_to_rollups(connection, "select *, 1 as sign from fresh", "UTC")
    return home


def main() -> None:
    """Make the home that the command line asks for, and say what it took."""
    requests, folder = int(sys.argv[1].replace("_", "")), Path(sys.argv[2])
    began = time.perf_counter()
    make_home(folder, requests)
    size = (folder / "ledger.duckdb").stat().st_size
    print(f"{requests:,} requests in {time.perf_counter() - began:.0f} s, {size / requests:.1f} bytes each: {folder}")


if __name__ == "__main__":
    main()
