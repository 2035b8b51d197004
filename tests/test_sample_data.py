"""What the sample data promises: the same rows each time, lines the journal accepts, a current month that lives."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.journal import BatchLine, RequestLine, read_line
from core.ledger.sample import write_sample_journal
from sample_data import generate

ROOT = Path(__file__).parent.parent
NAMES = ("requests", "batches")
MONDAY_MORNING = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def words(text: str) -> list[str]:
    return text.split()


REQUEST_KEYS = set(
    words(
        "v kind request_id sent_at ended_at route workload model status stop_reason refusal_category error_type "
        "batch_id custom_id api_request_id message_id attempts source tags usage time_assumed"
    )
)
BATCH_KEYS = set(
    words(
        "v kind batch_id workload model status created_at ended_at expires_at cancel_initiated_at requests succeeded "
        "errored canceled expired results_path source observed_at"
    )
)
USAGE_KEYS = set(
    words(
        "input_tokens cache_creation_input_tokens cache_read_input_tokens cache_creation output_tokens service_tier "
        "inference_geo speed"
    )
)


@dataclass(frozen=True)
class Journal:
    """A written journal with its lines as a DuckDB table of the columns that the rules below look at."""

    file: Path
    lines: int
    table: duckdb.DuckDBPyConnection

    def one(self, question: str, **values: object) -> Any:
        row = self.table.execute(question, values or None).fetchone()
        assert row is not None
        return row if len(row) > 1 else row[0]

    def rows(self, question: str, **values: object) -> list[tuple[Any, ...]]:
        return self.table.execute(question, values or None).fetchall()


def journal_at(folder: Path, now: datetime, source: Path | None = None) -> Journal:
    file = folder / "sample.jsonl"
    lines = write_sample_journal(file, now, source)
    texts = words("kind request_id route workload model status error_type stop_reason batch_id custom_id source")
    times = words("sent_at ended_at created_at observed_at cancel_initiated_at")
    counts = words("requests succeeded errored canceled expired")
    columns = dict.fromkeys(texts, "varchar") | dict.fromkeys(times, "timestamptz") | dict.fromkeys(counts, "int")
    table = duckdb.connect()
    table.execute("set TimeZone = 'UTC'")
    table.execute(
        "create table lines as from read_json($file, format = 'newline_delimited', columns = $columns)",
        {"file": str(file), "columns": columns | {"usage": "json"}},
    )
    return Journal(file, lines, table)


@pytest.fixture(scope="module")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """The whole sample as it looks on the first morning that it can be shown."""
    journal = journal_at(tmp_path_factory.mktemp("monday"), MONDAY_MORNING)
    yield journal
    journal.table.close()


@pytest.fixture(scope="module")
def newest_weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Parquet files without their first five months, for rules that need many journals."""
    folder = tmp_path_factory.mktemp("newest")
    for name in NAMES:
        rows = pq.read_table(ROOT / "sample_data" / f"{name}.parquet")
        newest = pc.fill_null(pc.greater_equal(rows["day"], -30), fill_value=True)
        pq.write_table(rows.filter(newest), folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate.write(folder)
    return folder


# --- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_makes_the_committed_rows_again(generated: Path, name: str) -> None:
    committed = pq.read_table(ROOT / "sample_data" / f"{name}.parquet")
    assert pq.read_table(generated / f"{name}.parquet").equals(committed, check_metadata=True)


def test_the_files_stay_small_and_travel_inside_the_package() -> None:
    files = [ROOT / "core" / "sample_data" / f"{name}.parquet" for name in NAMES]
    assert sum(file.stat().st_size for file in files) <= 5_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_files_say_that_they_are_synthetic(name: str) -> None:
    metadata = pq.read_schema(ROOT / "sample_data" / f"{name}.parquet").metadata
    assert metadata[b"synthetic"] == b"true"
    assert "synthetic" in (ROOT / "sample_data" / "README.md").read_text()


def test_a_model_is_used_only_after_its_launch() -> None:
    prices = tomllib.loads((ROOT / "core" / "prices.toml").read_text())["price"]
    launched: dict[str, date] = {}
    for price in prices:
        day = price["when"]["from_day"]
        launched[price["model"]] = min(day, launched.get(price["model"], day))
    used = pq.read_table(ROOT / "sample_data" / "requests.parquet", columns=["model", "day"])
    first_used = used.group_by("model").aggregate([("day", "min")]).to_pylist()
    days = {row["model"]: generate.EARLIEST_ANCHOR + timedelta(days=row["day_min"]) for row in first_used}
    assert days.pop(generate.GATEWAY_MODEL)
    assert len(days) == 9
    assert [model for model, day in days.items() if day < launched[model]] == []


# --- the lines -------------------------------------------------------------------------------------------------------


def test_every_line_is_counted_and_says_sample(monday: Journal) -> None:
    assert monday.one("select count(*) from lines") == monday.lines > 230_000
    assert monday.rows("select distinct source from lines") == [("sample",)]


def test_the_journal_accepts_the_lines(monday: Journal) -> None:
    with monday.file.open("rb") as lines:
        for number, line in enumerate(lines):
            if number % 60 == 0 or number > monday.lines - 60:
                assert_promised(line)


def assert_promised(line: bytes) -> None:
    fields = json.loads(line)
    fact = read_line(line, MONDAY_MORNING)
    if isinstance(fact, BatchLine):
        assert set(fields) == BATCH_KEYS
        return
    assert isinstance(fact, RequestLine)
    assert set(fields) == REQUEST_KEYS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["sent_at"])
    assert (fact.usage is None) == (fact.status != "succeeded") == (fact.message_id is None)
    if fact.usage is not None:
        assert set(fact.usage) == USAGE_KEYS
        assert fact.usage["cache_creation_input_tokens"] == sum(fact.usage["cache_creation"].values())
        assert fact.usage["service_tier"] == ("batch" if fact.route == "batch" else "standard")


def test_every_answer_has_usage_and_nothing_else_has(monday: Journal) -> None:
    without = "usage is null or usage = 'null'"
    wrong = f"select count(*) from lines where kind = 'request' and (status = 'succeeded') = ({without})"
    assert monday.one(wrong) == 0


def test_ids_are_unique(monday: Journal) -> None:
    assert monday.one("select count(*) = count(distinct request_id) from lines where kind = 'request'")
    assert monday.one(
        "select count(*) = count(distinct (batch_id, custom_id)) from lines where kind = 'request' and route = 'batch'"
    )
    assert monday.one("select count(*) = count(distinct batch_id) from lines where kind = 'batch'")


def test_only_batch_items_name_a_batch_and_their_custom_ids_are_valid(monday: Journal) -> None:
    assert monday.one(
        """
        select bool_and(
            (route = 'batch') = (batch_id is not null)
            and (route = 'batch') = coalesce(regexp_full_match(custom_id, '[a-zA-Z0-9_-]{1,64}'), false)
        ) from lines where kind = 'request'
        """
    )


def test_a_batch_counts_its_items(monday: Journal) -> None:
    differing = monday.rows(
        """
        with items as (
            select
                batch_id,
                count(*) as requests,
                count(*) filter (status = 'succeeded') as succeeded,
                count(*) filter (status = 'errored') as errored,
                count(*) filter (status = 'canceled') as canceled,
                count(*) filter (status = 'expired') as expired,
                min(sent_at) as created_at,
                max(ended_at) as ended_at
            from lines where kind = 'request' and route = 'batch' group by batch_id
        )
        from (select * from items) except
        select batch_id, requests, succeeded, errored, canceled, expired, created_at, ended_at
        from lines where kind = 'batch' and status = 'ended'
        """
    )
    assert differing == []
    assert monday.one("select count(distinct batch_id) from lines where kind = 'request'") == 42


def test_batches_end_in_every_way(monday: Journal) -> None:
    assert monday.rows(
        """
        select
            count(*),
            count(*) filter (status = 'in_progress'),
            count(*) filter (expired > 0),
            count(*) filter (canceled > 0 and cancel_initiated_at < ended_at),
            count(*) filter (errored > 0)
        from lines where kind = 'batch'
        """
    ) == [(43, 1, 1, 1, 5)]


def test_nights_are_fast_and_afternoons_slow(monday: Journal) -> None:
    minutes = dict(
        monday.rows(
            """
            select workload, median(date_diff('second', created_at, ended_at)) / 60
            from lines where kind = 'batch' and status = 'ended' group by workload
            """
        )
    )
    assert 5 < minutes["app-reviews"] < 15
    assert 90 < minutes["seo-metadata"] < 240
    longest = "select max(ended_at - created_at) from lines where kind = 'batch' and expired = 0"
    assert 6.5 * HOUR < monday.one(longest) < 7.5 * HOUR


def test_a_few_requests_of_the_month_have_no_price(monday: Journal) -> None:
    unpriced = "select count(*), count(distinct workload) from lines where model = $model and sent_at >= $since"
    assert monday.one(unpriced, model=generate.GATEWAY_MODEL, since=datetime(2026, 11, 1, tzinfo=UTC)) == (14, 1)


def test_some_answers_are_refused_cut_or_missing(monday: Journal) -> None:
    chat = dict(
        monday.rows(
            "select coalesce(stop_reason, error_type), count(*) from lines where workload = 'support-chat' group by 1"
        )
    )
    assert set(chat) == {"end_turn", "max_tokens", "refusal", "overloaded_error", "rate_limit_error"}
    assert chat["refusal"] > 20


def test_weekday_patterns_stay(monday: Journal) -> None:
    assert monday.rows(
        "select distinct dayofweek(sent_at) from lines where kind = 'request' and workload = 'seo-metadata'"
    ) == [(3,)]


# --- the day it is looked at -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "now",
    [
        "2026-11-23T06:00:00+00:00",
        "2026-11-23T01:04:00.123456+00:00",
        "2026-12-01T06:30:00+00:00",
        "2026-12-06T23:59:00+00:00",
        "2027-01-01T03:00:00+01:00",
        "2027-03-15T12:00:00+00:00",
    ],
)
def test_the_current_month_lives_and_nothing_is_later_than_now(tmp_path: Path, newest_weeks: Path, now: str) -> None:
    at = datetime.fromisoformat(now)
    journal = journal_at(tmp_path, at, newest_weeks)
    newest = journal.one("select greatest(max(sent_at), max(ended_at), max(created_at), max(observed_at)) from lines")
    assert newest <= at
    month = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert journal.one("select count(*) > 0 from lines where kind = 'request' and sent_at >= $month", month=month)
    assert at - journal.one("select max(sent_at) from lines where route = 'sync'") < 4 * HOUR
    running = "from lines where kind = 'batch' and status = 'in_progress' and workload = 'seo-metadata'"
    assert [
        at - 2 * HOUR < created_at < at - HOUR for (created_at,) in journal.rows(f"select created_at {running}")
    ] == [True]


def test_a_batch_has_no_items_and_no_outcomes_until_it_has_ended(tmp_path: Path, newest_weeks: Path) -> None:
    journal = journal_at(tmp_path, datetime(2026, 11, 23, 1, 4, tzinfo=UTC), newest_weeks)
    assert journal.rows(
        """
        select status, ended_at, requests, succeeded + errored + canceled + expired,
               (select count(*) from lines as items where items.batch_id = tonight.batch_id and items.kind = 'request')
        from lines as tonight
        where kind = 'batch' and workload = 'app-reviews' and created_at >= timestamptz '2026-11-23 00:00:00+00'
        """
    ) == [("in_progress", None, 1_000, 0, 0)]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        write_sample_journal(tmp_path / "sample.jsonl", MONDAY_MORNING.replace(tzinfo=None))


def test_a_failure_leaves_no_journal_behind(tmp_path: Path, newest_weeks: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "requests.parquet").symlink_to(newest_weeks / "requests.parquet")
    (tmp_path / "home").mkdir()
    with pytest.raises(duckdb.IOException, match=r"batches\.parquet"):
        write_sample_journal(tmp_path / "home" / "sample.jsonl", MONDAY_MORNING, tmp_path / "source")
    assert list((tmp_path / "home").iterdir()) == []
