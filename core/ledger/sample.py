"""Writes the synthetic sample data as journal lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import duckdb

# Days count from the anchor Monday. Ids come from row numbers, so they take no room in the Parquet files.
_REQUESTS = """
copy (
    with placed as (
        select
            *,
            $anchor::timestamp + to_days(day::int) + to_milliseconds(ms) as sent,
            md5('request' || file_row_number) as hash
        from read_parquet($parquet, file_row_number = true)
    ),
    seen as (
        select *, sent + to_milliseconds(took_ms) as ended, epoch_ms(sent) as sent_ms
        from placed
        where sent + to_milliseconds(took_ms) <= $now::timestamp
    )
    select
        1 as v,
        'request' as kind,
        -- UUIDv7, as every recorder mints: 48 bits of time, the version, the variant, the rest from the hash
        format(
            '{:08x}-{:04x}-7{}-a{}-{}', sent_ms >> 16, sent_ms & 65535, hash[1:3], hash[4:6], hash[7:18]
        ) as request_id,
        strftime(sent, '%Y-%m-%dT%H:%M:%S.%gZ') as sent_at,
        strftime(ended, '%Y-%m-%dT%H:%M:%S.%gZ') as ended_at,
        if(batch is null, 'sync', 'batch') as route,
        workload,
        model,
        status,
        stop_reason,
        refusal_category,
        error_type,
        'msgbatch_sample_' || md5('batch' || batch)[:20] as batch_id,
        item_prefix || '-' || lpad(item::varchar, 6, '0') as custom_id,
        if(batch is null, 'req_sample_' || hash[:20], null) as api_request_id,
        if(input_tokens is null, null, 'msg_sample_' || hash[:20]) as message_id,
        attempts,
        'sample' as source,
        map() as tags,
        if(input_tokens is null, null, struct_pack(
            input_tokens := input_tokens,
            cache_creation_input_tokens := write_5m_tokens + write_1h_tokens,
            cache_read_input_tokens := cache_read_tokens,
            cache_creation := struct_pack(
                ephemeral_5m_input_tokens := write_5m_tokens,
                ephemeral_1h_input_tokens := write_1h_tokens
            ),
            output_tokens := output_tokens,
            service_tier := if(batch is null, 'standard', 'batch'),
            inference_geo := 'global',
            speed := 'standard'
        )) as usage,
        false as time_assumed
    from seen
) to $target (format json)
"""

# A batch without a day is the one that is always still running: it was created `age_ms` before now.
_BATCHES = """
with placed as (
    select
        *,
        if(
            day is null,
            $now::timestamp - to_milliseconds(age_ms),
            $anchor::timestamp + to_days(day::int) + to_milliseconds(ms)
        ) as created
    from read_parquet($parquet)
),
seen as (
    select
        *,
        created + to_milliseconds(took_ms) as ended,
        coalesce(ended <= $now::timestamp, false) as is_over
    from placed
    where created <= $now::timestamp
),
lines as (
    select
        1 as v,
        'batch' as kind,
        'msgbatch_sample_' || md5('batch' || batch)[:20] as batch_id,
        workload,
        model,
        if(is_over, 'ended', 'in_progress') as status,
        strftime(created, '%Y-%m-%dT%H:%M:%S.%gZ') as created_at,
        if(is_over, strftime(ended, '%Y-%m-%dT%H:%M:%S.%gZ'), null) as ended_at,
        strftime(created + interval 24 hours, '%Y-%m-%dT%H:%M:%S.%gZ') as expires_at,
        strftime(created + to_milliseconds(cancel_after_ms), '%Y-%m-%dT%H:%M:%S.%gZ') as cancel_initiated_at,
        requests,
        if(is_over, succeeded, 0) as succeeded,
        if(is_over, errored, 0) as errored,
        if(is_over, canceled, 0) as canceled,
        if(is_over, expired, 0) as expired,
        null::varchar as results_path,
        'sample' as source,
        strftime(if(is_over, ended, $now::timestamp), '%Y-%m-%dT%H:%M:%S.%gZ') as observed_at
    from seen
)
select to_json(lines)::varchar from lines order by created_at
"""


def write_sample_journal(journal_file: Path, now: datetime, source: Path | None = None) -> int:
    """Write the sample as the journal of a developer up to `now` (aware); how many lines it has.

    The data is moved so that its newest week is the one that holds `now` and weekdays stay weekdays; what lies after
    `now` is left out. `source` is the folder with the Parquet files, by default the one that is installed. The journal
    appears under its name only when it is whole.
    """
    folder = _installed() if source is None else source
    naive_now = _naive_utc(now)
    dates = {"anchor": _anchor(naive_now), "now": naive_now}
    unfinished = journal_file.with_name(f".{journal_file.name}.part")
    try:
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            requests = {"parquet": str(folder / "requests.parquet"), "target": str(unfinished)}
            counted = connection.execute(_REQUESTS, dates | requests).fetchall()
            batches = connection.execute(_BATCHES, dates | {"parquet": str(folder / "batches.parquet")}).fetchall()
        with unfinished.open("a", encoding="utf-8") as journal:
            journal.writelines(f"{line}\n" for (line,) in batches)
        unfinished.replace(journal_file)
    finally:
        unfinished.unlink(missing_ok=True)
    return int(counted[0][0]) + len(batches)


def _installed() -> Path:
    """The folder of the Parquet files that travel as package data."""
    return Path(str(resources.files("core") / "sample_data"))


def _naive_utc(now: datetime) -> datetime:
    """UTC without its zone and whole milliseconds, as the SQL above compares; ValueError for a time without a zone."""
    if now.tzinfo is None:
        raise ValueError(f"{now} has no time zone")
    utc = now.astimezone(UTC).replace(tzinfo=None)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _anchor(now: datetime) -> datetime:
    """Midnight of the Monday of the week that holds `now`."""
    return datetime(now.year, now.month, now.day) - timedelta(days=now.weekday())  # noqa: DTZ001
