"""What the ledger answers, on a real DuckDB file fed by a real journal."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.capture.journal import Journal
from core.facts import Spend
from core.ledger import Ingested, Ledger, LedgerError
from core.periods import Period, day_start, instant_text, local_day, month_of
from core.settings import change_setting
from tests.conftest import Record
from tests.lines import NOVEMBER, NOW, SONNET, batch, batch_item, request, usage


def total(ledger: Ledger, period: Period = NOVEMBER) -> Spend:
    with ledger.read() as reader:
        return reader.total(period)


def test_an_empty_home_has_a_ledger_that_answers_zero(ledger: Ledger) -> None:
    with ledger.read() as reader:
        assert reader.span() is None
        assert reader.total(NOVEMBER).requests == 0
        assert reader.spend_by(NOVEMBER, "model") == []


def test_a_request_costs_its_tokens_at_the_price_of_its_day(record: Record, ledger: Ledger) -> None:
    record(request(usage=usage(1_000, 200, cache_read_input_tokens=10_000)))
    assert total(ledger).cost_usd == Decimal("0.002") + Decimal("0.002") + Decimal("0.001")


def test_the_price_is_that_of_the_utc_day_the_request_was_sent(record: Record, ledger: Ledger) -> None:
    read = usage(0, 0, cache_read_input_tokens=1_000_000)
    record(
        request(usage=read, sent_at="2026-10-06T23:59:59.999999Z"), request(usage=read, sent_at="2026-10-07T00:00:00Z")
    )
    with ledger.read() as reader:
        days = reader.spend_by(month_of(date(2026, 10, 1)), "day")
    assert [(row.key, row.spend.cost_usd) for row in days] == [
        ("2026-10-06", Decimal("0.20")),
        ("2026-10-07", Decimal("0.10")),
    ]


def test_a_batch_item_pays_half_and_remembers_the_list_price(record: Record, ledger: Ledger) -> None:
    record(batch_item("msgbatch_1", "a"))
    spend = total(ledger)
    assert (spend.cost_usd, spend.list_usd, spend.saved_usd) == (Decimal("0.002"), Decimal("0.004"), Decimal("0.002"))
    assert spend.batch_requests == 1


@pytest.mark.parametrize("status", ["errored", "canceled", "expired"])
def test_requests_that_did_not_succeed_are_counted_and_cost_nothing(
    record: Record, ledger: Ledger, status: str
) -> None:
    record(batch_item("msgbatch_1", "a", status=status, usage=None))
    spend = total(ledger)
    assert (spend.requests, spend.cost_usd, spend.unpriced_requests) == (1, Decimal(0), 0)


def test_an_unknown_model_is_counted_and_never_zero_dollars(record: Record, ledger: Ledger) -> None:
    record(request(model="claude-unheard-of"), request())
    with ledger.read() as reader:
        spend = reader.total(NOVEMBER)
        unpriced = reader.unpriced(NOVEMBER)
    assert (spend.requests, spend.unpriced_requests, spend.cost_usd) == (2, 1, Decimal("0.004"))
    assert [(row.model, row.requests) for row in unpriced] == [("claude-unheard-of", 1)]


def test_unusual_usages_are_priced_like_plain_ones_and_marked(record: Record, ledger: Ledger) -> None:
    record(request(usage=usage(0, 0, cache_creation_input_tokens=1_000_000)))
    spend = total(ledger)
    assert (spend.cost_usd, spend.estimated_requests) == (Decimal("2.5"), 1)


def test_a_stream_that_broke_off_is_a_lower_bound_and_says_so(record: Record, ledger: Ledger) -> None:
    record(request(streamed=True, incomplete=True), request(streamed=True, attempts=1, attempt_statuses=[200]))
    record(request(streamed=False, attempts=3, attempt_statuses=[529, 0, 200]))
    spend = total(ledger)
    assert (spend.cost_usd, spend.estimated_requests) == (Decimal("0.012"), 1)
    with ledger.read() as reader:
        kept = reader._rows(
            "select streamed, incomplete, attempt_statuses, reason from requests "
            "order by attempt_statuses nulls first, incomplete desc"
        )
    assert [row[:3] for row in kept] == [(True, True, None), (True, False, None), (False, False, "[529, 0, 200]")]
    assert "lower bound" in kept[0][3]
    assert [row[3] for row in kept[1:]] == [None, None]


def test_a_ledger_of_the_first_version_is_migrated_and_keeps_its_rows(record: Record, ledger: Ledger) -> None:
    """Written by the first schema file alone, as the version of that time did."""
    with duckdb.connect(ledger.home / "ledger.duckdb") as connection:
        connection.execute("create table schema_versions (version integer, applied_at timestamptz)")
        connection.execute((Path(__file__).parents[1] / "core" / "sql" / "001_ledger.sql").read_text())
        connection.execute("insert into schema_versions values (1, now())")
        connection.execute("insert into ledger_meta values ('time_zone', 'UTC'), ('time_zone_from', 'settings')")
        connection.execute(
            "insert into requests by name select uuid() as request_id, 'old' as workload, 'claude-sonnet-5-5' as model,"
            " 'sync' as route, 'succeeded' as status, '2026-11-10T10:00:00Z'::timestamptz as sent_at, "
            "false as time_assumed, 'test' as source, 1 as input_tokens, 1 as output_tokens, 0 as cache_read_tokens, "
            "0 as cache_write_5m_tokens, 0 as cache_write_1h_tokens, 0 as web_searches, 'standard' as speed, "
            "'standard' as service_tier, 'global' as inference_geo, 'priced' as price_status, false as estimated, "
            "0.5 as cost_usd, 0.5 as list_usd"
        )
    record(request())
    with ledger.read() as reader:
        rows = reader._rows("select workload, incomplete, streamed from requests order by workload")
    assert rows == [("old", False, None), ("tests", False, None)]


def test_iterations_are_what_is_billed(record: Record, ledger: Ledger) -> None:
    entries = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    record(request(usage=usage(23_000, 1_000, iterations=entries)))
    spend = total(ledger)
    assert (spend.input_tokens, spend.output_tokens) == (203_000, 4_500)
    assert spend.cost_usd == Decimal("0.406") + Decimal("0.045")


def test_groups_add_up_to_the_total_and_the_dearest_comes_first(record: Record, ledger: Ledger) -> None:
    record(
        request(workload="small"),
        request(workload="big", usage=usage(50_000, 9_000)),
        batch_item("msgbatch_1", "a", workload="big", model="claude-haiku-5-5"),
    )
    with ledger.read() as reader:
        whole = reader.total(NOVEMBER)
        for by in ("model", "workload", "route", "day"):
            rows = reader.spend_by(NOVEMBER, by)
            assert sum(row.spend.cost_usd for row in rows) == whole.cost_usd
            assert sum(row.spend.requests for row in rows) == whole.requests
        assert [row.key for row in reader.spend_by(NOVEMBER, "workload")] == ["big", "small"]


def test_a_request_recorded_twice_counts_once(record: Record, ledger: Ledger) -> None:
    once = request(message_id="msg_1")
    record(once, once)
    seen_elsewhere = request(message_id="msg_1", source="import jsonl")
    item = batch_item("msgbatch_1", "a")
    done = record(seen_elsewhere, item, {**item, "request_id": request()["request_id"]})
    assert done == Ingested(added=1, duplicates=2, quarantined=0)
    assert total(ledger).requests == 2


def test_a_batch_item_is_one_request_however_it_was_seen(record: Record, ledger: Ledger) -> None:
    record(batch_item("msgbatch_1", "a"))
    done = record(batch_item("msgbatch_1", "a", message_id="msg_1"), batch_item("msgbatch_9", "z", message_id="msg_1"))
    assert done == Ingested(added=0, duplicates=2)
    assert record(request(message_id=""), request(message_id="")).added == 2


def test_equal_custom_ids_in_two_batches_are_two_requests(record: Record, ledger: Ledger) -> None:
    record(batch_item("msgbatch_1", "a"), batch_item("msgbatch_2", "a"))
    assert total(ledger).requests == 2


def test_who_looks_at_a_batch_of_another_program_erases_nothing(record: Record, ledger: Ledger) -> None:
    known = batch("b", workload="nightly", model=SONNET, results_path="results/b.jsonl")
    look = {"status": "ended", "succeeded": 1, "ended_at": "2026-11-10T11:00:00Z", "workload": "unlabelled"}
    record(known)
    record(batch("b", **look, observed_at="2026-11-10T11:05:00Z"))
    record(batch("b", **look, observed_at="2026-11-10T11:06:00Z"), batch("c", workload="unlabelled"))
    with ledger.read() as reader:
        row, other = reader.batches()
    assert (row.workload, row.model, row.results_path) == ("nightly", SONNET, "results/b.jsonl")
    assert (row.status, row.succeeded) == ("ended", 1)
    assert (other.workload, other.model, other.results_path) == ("unlabelled", None, None)


def test_a_batch_is_shown_as_last_observed_whatever_order_it_was_written_in(record: Record, ledger: Ledger) -> None:
    ended = batch("b", status="ended", succeeded=1, ended_at="2026-11-10T11:00:00Z", observed_at="2026-11-10T11:05:00Z")
    record(batch_item("b", "a"), ended, batch("b", observed_at="2026-11-10T10:30:00Z"))
    record(batch("b", observed_at="2026-11-10T10:45:00Z"))
    with ledger.read() as reader:
        [seen] = reader.batches()
    assert (seen.status, seen.succeeded, seen.cost_usd) == ("ended", 1, Decimal("0.002"))


def test_days_are_cut_in_the_ledgers_zone_and_recut_when_it_changes(record: Record, ledger: Ledger) -> None:
    record(request(sent_at="2026-11-10T18:29:59Z"), request(sent_at="2026-11-10T18:30:00Z"))

    def days() -> list[str]:
        ledger.sync(NOW)
        with ledger.read() as reader:
            return [row.key for row in reader.spend_by(NOVEMBER, "day")]

    assert days() == ["2026-11-10"]
    change_setting(ledger.home, "time_zone", "Asia/Kolkata")
    assert days() == ["2026-11-10", "2026-11-11"]
    assert total(ledger).requests == 2


def test_another_zone_can_be_asked_for_without_changing_the_ledger(record: Record, ledger: Ledger) -> None:
    record(request(sent_at="2026-11-01T03:59:59Z"))
    with ledger.read() as reader:
        assert reader.spend_by(NOVEMBER, "model", "America/New_York") == []
        october = reader.spend_by(month_of(date(2026, 10, 1)), "day", "America/New_York")
        assert [(row.key, row.spend.cost_usd) for row in october] == [("2026-10-31", Decimal("0.004"))]
        assert reader.zone == "UTC"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
def test_single_days_add_up_to_their_range(record: Record, ledger: Ledger, zone: str) -> None:
    change_setting(ledger.home, "time_zone", zone)
    record(*(request(sent_at=f"2026-11-{day:02}T{hour:02}:30:00Z") for day in range(1, 8) for hour in range(24)))
    days = [Period(date(2026, 11, day), date(2026, 11, day + 1)) for day in range(1, 6)]
    singles = [total(ledger, day) for day in days]
    whole = total(ledger, Period(days[0].first, days[-1].end))
    assert sum(day.cost_usd for day in singles) == whole.cost_usd
    assert sum(day.requests for day in singles) == whole.requests


BAD_LINES = {
    b"{": "not JSON",
    b"[1]": "a JSON object was expected",
    b'{"v":1,"kind":"request"': "not JSON",
    b"\xff\xfe": "not UTF-8",
    b'{"v":1,\x00"kind":"request"}': "not JSON",
    b'{"v":7,"kind":"request"}': "journal version 1",
    b'{"v":1,"kind":"surprise"}': "kind is",
}


def test_a_broken_line_is_quarantined_with_file_and_line_and_never_stops_the_rest(ledger: Ledger) -> None:
    good = Journal(ledger.home)
    good.append(request())
    with good.files[0].open("ab") as file:
        file.write(b"".join(line + b"\n" for line in BAD_LINES))
    good.append(request())
    assert ledger.sync(NOW) == Ingested(added=2, quarantined=len(BAD_LINES))
    with ledger.read() as reader:
        found = reader.quarantine()
    assert [line.line for line in found] == list(range(2, 2 + len(BAD_LINES)))
    assert {line.file for line in found} == {good.files[0].name}
    for line, expected in zip(found, BAD_LINES.values(), strict=True):
        assert expected in line.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"usage": usage(-1)}, "usage.input_tokens"),
        ({"usage": {"input_tokens": "12", "output_tokens": 1}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": 1.5, "output_tokens": 1}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": True, "output_tokens": 1}}, "usage.input_tokens"),
        ({"usage": usage(10**30)}, "usage.input_tokens"),
        ({"usage": None}, "no usage"),
        ({"usage": 5}, "usage"),
        ({"sent_at": "1970-01-01T00:00:00Z"}, "sent_at"),
        ({"sent_at": "2099-01-01T00:00:00Z"}, "sent_at"),
        ({"sent_at": "2026-11-10T10:00:00"}, "time zone"),
        ({"sent_at": "yesterday"}, "sent_at"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"route": "carrier pigeon"}, "route"),
        ({"status": "ok"}, "status"),
        ({"request_id": "7"}, "request_id"),
        ({"tags": ["a"]}, "tags"),
        ({"attempts": -1}, "attempts"),
        ({"time_assumed": "no"}, "time_assumed"),
        ({"attempt_statuses": [200, "x"]}, "attempt_statuses"),
        ({"attempt_statuses": 200}, "attempt_statuses"),
        ({"streamed": "yes"}, "streamed"),
        ({"incomplete": 1}, "incomplete"),
    ],
)
def test_a_request_that_cannot_be_true_is_quarantined(
    record: Record, ledger: Ledger, fields: dict[str, object], reason: str
) -> None:
    assert record(request(**fields)) == Ingested(quarantined=1)
    with ledger.read() as reader:
        assert reason in reader.quarantine()[0].reason
    assert total(ledger).requests == 0


def test_a_line_without_its_newline_waits_until_it_is_whole(ledger: Ledger) -> None:
    journal = Journal(ledger.home)
    journal.append(request())
    with journal.files[0].open("ab") as file:
        file.write(b'{"v":1,"kind":')
        file.flush()
        assert ledger.sync(NOW).added == 1
        file.write(b'"no"}\n')
        file.flush()
        assert ledger.sync(NOW) == Ingested(quarantined=1)


def test_a_very_long_line_is_quarantined_and_the_next_one_counts(ledger: Ledger) -> None:
    journal = Journal(ledger.home)
    journal.append(request(source="x" * 50_000_000))
    journal.append(request())
    assert ledger.sync(NOW) == Ingested(added=1, quarantined=1)
    with ledger.read() as reader:
        assert "bytes" in reader.quarantine()[0].reason


def test_syncing_again_or_from_another_process_changes_nothing(record: Record, ledger: Ledger) -> None:
    record(*(request() for _ in range(10)))
    before = total(ledger)
    assert ledger.sync(NOW) == Ingested()
    assert Ledger(ledger.home).sync(NOW) == Ingested()
    assert total(ledger) == before


def test_a_lost_ledger_is_rebuilt_from_the_journals(record: Record, ledger: Ledger) -> None:
    record(request(), batch_item("b", "a"), batch("b"))
    before = total(ledger)
    (ledger.home / "ledger.duckdb").unlink()
    assert ledger.sync(NOW).added == 3
    assert total(ledger) == before


def test_a_ledger_of_a_newer_version_is_refused(record: Record, ledger: Ledger) -> None:
    record(request())
    with duckdb.connect(ledger.home / "ledger.duckdb") as connection:
        connection.execute("insert into schema_versions values (99, now())")
    for call in (lambda: total(ledger), lambda: Ledger(ledger.home).sync(NOW)):
        with pytest.raises(LedgerError, match=r"schema version 99.*Upgrade Halfprice"):
            call()


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(ledger: Ledger) -> None:
    path = ledger.home / "ledger.duckdb"
    path.write_text("my diary")
    with pytest.raises(LedgerError, match="is not a whole ledger"):
        ledger.sync(NOW)
    assert path.read_text() == "my diary"


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"cannot be written.*HALFPRICE_HOME"):
        Ledger(tmp_path / "file" / "home").sync(NOW)


def test_every_column_says_what_it_holds(ledger: Ledger) -> None:
    ledger.sync(NOW)
    with duckdb.connect(ledger.home / "ledger.duckdb", read_only=True) as connection:
        silent = connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where not internal and comment is null and table_name <> 'schema_versions'"
        ).fetchall()
    assert silent == []


def test_span_tells_the_first_and_the_newest_moment(record: Record, ledger: Ledger) -> None:
    record(request(), request(sent_at="2026-11-12T08:00:00Z", ended_at="2026-11-12T08:00:03Z"))
    with ledger.read() as reader:
        span = reader.span()
    assert span is not None
    assert span.first_at == datetime(2026, 11, 10, 10, tzinfo=UTC)
    assert span.newest_at == datetime(2026, 11, 12, 8, 0, 3, tzinfo=UTC)


def test_the_model_in_use_is_known_to_these_tests(record: Record, ledger: Ledger) -> None:
    """The lines of `tests.lines` are priced by hand there; this holds them to the price book."""
    record(request(), batch_item("b", "a"))
    with ledger.read() as reader:
        [row] = reader.spend_by(NOVEMBER, "model")
    assert (row.key, row.spend.cost_usd) == (SONNET, Decimal("0.006"))


@pytest.mark.parametrize("zone", ["America/Vancouver", "Africa/Casablanca", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_sql_and_python_agree_on_every_day(record: Record, ledger: Ledger, zone: str) -> None:
    """DuckDB's own zone database has been older than Python's, so days are never cut with it."""
    change_setting(ledger.home, "time_zone", zone)
    moments = [day_start(date(2026, 1, 1) + timedelta(days=day), zone) for day in range(320)]
    edges = [at + timedelta(seconds=shift) for at in moments for shift in (-1, 0)]
    record(*(request(sent_at=instant_text(at)) for at in edges))
    year = Period(date(2025, 12, 31), date(2027, 1, 1))
    with ledger.read() as reader:
        found = {row.key: row.spend.requests for row in reader.spend_by(year, "day")}
    assert found == Counter(str(local_day(at, zone)) for at in edges)
    ledger_in_utc = Ledger(ledger.home)
    change_setting(ledger.home, "time_zone", "UTC")
    ledger_in_utc.sync(NOW)
    with ledger_in_utc.read() as reader:
        assert {row.key: row.spend.requests for row in reader.spend_by(year, "day", zone)} == found


ODDITIES: list[object] = [
    None,
    "",
    "x",
    "5",
    5,
    -1,
    1.5,
    True,
    [],
    {},
    "\ud800",
    "a\x00",
    10**20,
    "2026-11-10T24:00:00Z",
]


def test_no_mixture_of_good_and_odd_lines_stops_the_ingest(ledger: Ledger) -> None:
    """Each field in turn takes each odd value, among good lines, in one chunk and in a chunk of its own."""
    cached: dict[str, Any] = {"cache_read_input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 0}}
    whole = request(
        usage=usage(**cached, service_tier="standard"),
        message_id=None, batch_id=None, tags={}, attempts=1, ended_at="2026-11-10T10:00:01Z", stop_reason="refusal",
    )  # fmt: skip
    odd = [{**whole, "request_id": request()["request_id"], name: value} for name in whole for value in ODDITIES]
    odd += [
        {**whole, "request_id": request()["request_id"], "usage": {**whole["usage"], name: value}}
        for name in [*whole["usage"], "speed", "inference_geo", "iterations", "server_tool_use", "fallback_credit"]
        for value in ODDITIES
    ]
    good = [request() for _ in odd]
    lines = [json.dumps(line) for pair in zip(good, odd, strict=True) for line in pair]
    folder = ledger.home / "journal"
    folder.mkdir()
    (folder / "mixed.jsonl").write_text("".join(line + "\n" for line in lines))
    done = ledger.sync(NOW)
    assert done.added + done.duplicates + done.quarantined == len(lines)
    assert done.added >= len(good)
    for number, line in enumerate(lines[1::20]):
        (folder / f"single{number}.jsonl").write_text(line + "\n")
        again = ledger.sync(NOW)
        assert again.added + again.duplicates + again.quarantined == 1
