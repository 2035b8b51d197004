"""Files that were cut, lost or damaged, clocks that were set back: what was recorded is counted once all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

import core
from core.capture.journal import Journal
from core.ledger import Ingested, Ledger
from core.ledger.upkeep import KEEP
from tests.conftest import Record
from tests.lines import NOVEMBER, NOW, batch_item, halfprice, request, usage

ROOT = Path(__file__).parents[1]


def counted(ledger: Ledger) -> int:
    ledger.sync(NOW)
    with ledger.read() as reader:
        return reader.total(NOVEMBER).requests


def written(home: Path, *lines: dict[str, object], name: str = "a.jsonl") -> Path:
    path = home / "journal" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


# Files


def test_a_journal_cut_by_hand_loses_nothing_that_was_counted_and_new_lines_count(ledger: Ledger) -> None:
    path = written(ledger.home, *(request() for _ in range(3)))
    assert counted(ledger) == 3
    first = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(first)
    assert counted(ledger) == 3
    written(ledger.home, request(), request())
    assert counted(ledger) == 5


def test_a_journal_that_was_emptied_and_grew_past_its_old_size_is_read_from_its_start(ledger: Ledger) -> None:
    path = written(ledger.home, request())
    assert counted(ledger) == 1
    path.write_bytes(b"")
    written(ledger.home, *(request() for _ in range(4)))
    assert counted(ledger) == 5


def test_a_journal_deleted_by_hand_takes_nothing_away(ledger: Ledger) -> None:
    written(ledger.home, request()).unlink()
    assert counted(ledger) == 0
    path = written(ledger.home, request())
    assert counted(ledger) == 1
    path.unlink()
    written(ledger.home, request(), name="b.jsonl")
    assert counted(ledger) == 2


def test_a_consumed_journal_is_removed_after_a_month_and_never_before(ledger: Ledger) -> None:
    journal = Journal(ledger.home, rotate_bytes=1)
    journal.append(request())
    journal.append(request())
    old, held = journal.files
    young = written(ledger.home, request())
    torn = written(ledger.home, request(), name="torn.jsonl")
    with torn.open("ab") as file:
        file.write(b'{"v":1')
    for path in (old, held, torn):
        long_ago = (NOW - KEEP - timedelta(seconds=1)).timestamp()
        os.utime(path, (long_ago, long_ago))
    os.utime(young, ((NOW - KEEP).timestamp(),) * 2)
    assert ledger.sync(NOW).added == 4
    assert {path.name for path in (ledger.home / "journal").glob("*.jsonl")} == {held.name, young.name, torn.name}
    assert counted(ledger) == 4


def test_a_ledger_made_anew_says_what_the_journals_no_longer_held(ledger: Ledger) -> None:
    old = written(ledger.home, request(), request())
    long_ago = NOW - KEEP - timedelta(days=3)
    os.utime(old, (long_ago.timestamp(),) * 2)
    written(ledger.home, request(), name="b.jsonl")
    assert counted(ledger) == 3
    with ledger.read() as reader:
        assert reader.gone() is None
    (ledger.home / "ledger.duckdb").unlink()
    assert counted(ledger) == 1
    with ledger.read() as reader:
        gone = reader.gone()
    assert gone is not None
    assert (gone.lines, gone.until.replace(microsecond=0)) == (2, long_ago)
    said = halfprice(ledger.home, "spend", "--json")
    assert "no longer held 2 lines written up to 2026-10-21" in said.stderr
    assert json.loads(said.stdout)["requests"] == 1


# Brings in new lines and dies before DuckDB has moved them from its log into the file.
DIES_BEFORE_THE_CHECKPOINT = """
import os, sys
from pathlib import Path
import duckdb
from core.ledger.ingest import ingest_journals
from core.pricing import PriceBook
from tests.lines import NOW
home = Path(sys.argv[1])
connection = duckdb.connect(home / "ledger.duckdb")
connection.execute("set TimeZone = 'UTC'; set wal_autocheckpoint = '1TB'")
ingest_journals(connection, home, PriceBook.load(), "UTC", NOW)
os._exit(9)
"""


def flipped(log: bytes, place: int) -> bytes:
    return log[:place] + bytes([log[place] ^ 0xFF]) + log[place + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda log: log,
    "cut": lambda log: log[:-20],
    "cut in half": lambda log: log[: len(log) // 2],
    "flipped near the start": lambda log: flipped(log, 20),
    "flipped in the middle": lambda log: flipped(log, len(log) // 2),
    "flipped at the end": lambda log: flipped(log, len(log) - 30),
    "emptied": lambda log: b"",
    "overwritten": lambda log: b"no log" * 100,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_write_ahead_log_costs_nothing(ledger: Ledger, how: str) -> None:
    written(ledger.home, request())
    assert counted(ledger) == 1
    written(ledger.home, *(request() for _ in range(40)))
    subprocess.run([sys.executable, "-c", DIES_BEFORE_THE_CHECKPOINT, str(ledger.home)], cwd=ROOT, check=False)
    log = ledger.home / "ledger.duckdb.wal"
    log.write_bytes(DAMAGE[how](log.read_bytes()))
    assert counted(ledger) == 41
    with ledger.read() as reader:
        assert reader.total(NOVEMBER).cost_usd == 41 * Decimal("0.004")


def test_a_log_of_another_ledger_is_put_aside(ledger: Ledger) -> None:
    written(ledger.home, request())
    counted(ledger)
    written(ledger.home, request())
    subprocess.run([sys.executable, "-c", DIES_BEFORE_THE_CHECKPOINT, str(ledger.home)], cwd=ROOT, check=False)
    log = ledger.home / "ledger.duckdb.wal"
    stale = log.read_bytes()
    written(ledger.home, request())
    assert counted(ledger) == 3
    log.write_bytes(stale)
    written(ledger.home, request())
    assert counted(ledger) == 4
    assert list(ledger.home.glob("ledger.duckdb.wal.damaged-*"))


# Clocks and versions


def test_a_clock_set_back_keeps_lines_waiting_until_it_is_right(ledger: Ledger) -> None:
    written(ledger.home, request())
    early = datetime(2026, 10, 1, tzinfo=UTC)
    assert ledger.sync(early) == Ingested(quarantined=1)
    assert Ledger(ledger.home).sync(early + timedelta(days=1)) == Ingested()
    assert Ledger(ledger.home).sync(NOW) == Ingested(added=1, quarantined=-1)
    assert counted(ledger) == 1
    with ledger.read() as reader:
        assert reader.quarantine() == []


def test_lines_of_a_newer_halfprice_count_after_an_upgrade(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    written(ledger.home, {**request(), "v": 2}, {"v": 2, "kind": "news"})
    assert ledger.sync(NOW) == Ingested(quarantined=2)
    monkeypatch.setattr("core.journal.VERSION", 2)
    monkeypatch.setattr("core.ledger.ingest.__version__", f"{core.__version__}+1")
    assert Ledger(ledger.home).sync(NOW) == Ingested(added=1, quarantined=-1)
    with ledger.read() as reader:
        [left] = reader.quarantine()
    assert (left.line, "kind is" in left.reason) == (2, True)


# The same request seen twice


def repeats(ledger: Ledger) -> list[tuple[object, ...]]:
    with duckdb.connect(ledger.home / "ledger.duckdb", read_only=True) as connection:
        return connection.execute(
            "select kept, output_tokens, other_output_tokens, line from repeats order by noticed_at, line"
        ).fetchall()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("first", "second", "kept"), [(200, 900, "later"), (900, 200, "earlier")])
def test_of_two_records_the_one_with_more_output_is_kept_and_noted(
    record: Record, ledger: Ledger, first: int, second: int, kept: str, together: bool
) -> None:
    one = request(message_id="msg_1", usage=usage(1_000, first), workload="a")
    other = request(message_id="msg_1", usage=usage(1_000, second), workload="b", source="import jsonl")
    if together:
        done = record(one, other)
    else:
        record(one)
        done = record(other)
    assert done.duplicates == 1
    with ledger.read() as reader:
        total = reader.total(NOVEMBER)
        [row] = reader.spend_by(NOVEMBER, "workload")
    assert (total.requests, total.output_tokens, total.cost_usd) == (1, 900, Decimal("0.011"))
    assert row.key == ("b" if kept == "later" else "a")
    assert repeats(ledger) == [(kept, 900, 200, 2)]
    assert record(one, other) == Ingested(duplicates=2)
    assert counted(ledger) == 1


def test_a_whole_answer_takes_the_place_of_a_part_of_it(record: Record, ledger: Ledger) -> None:
    record(request(message_id="msg_1", incomplete=True))
    record(request(message_id="msg_1", source="import jsonl"))
    with ledger.read() as reader:
        assert (reader.total(NOVEMBER).requests, reader.total(NOVEMBER).estimated_requests) == (1, 0)


def test_a_replaced_batch_item_leaves_the_sums_of_its_batch_right(record: Record, ledger: Ledger) -> None:
    record(batch_item("b", "a"), batch_item("b", "c"))
    record(batch_item("b", "a", usage=usage(1_000, 400, service_tier="batch")))
    with duckdb.connect(ledger.home / "ledger.duckdb", read_only=True) as connection:
        sums = connection.execute("select requests, cost_usd, list_usd from batch_sums").fetchall()
    assert sums == [(2, Decimal("0.005"), Decimal("0.01"))]


def test_an_import_without_times_meets_what_was_recorded_long_ago(record: Record, ledger: Ledger) -> None:
    record(request(message_id="msg_1", sent_at="2026-05-01T00:00:00Z"))
    undated = request(message_id="msg_1", source="import jsonl", time_assumed=True, sent_at="2026-11-20T00:00:00Z")
    assert record(undated) == Ingested(duplicates=1)
    record({**undated, "message_id": "msg_2", "request_id": request()["request_id"]})
    assert record(request(message_id="msg_2", sent_at="2026-05-01T00:00:00Z")) == Ingested(duplicates=1)


def test_roll_ups_equal_what_the_requests_add_up_to(record: Record, ledger: Ledger) -> None:
    """Whatever order records came in, and whatever was replaced meanwhile."""
    lines = [
        request(
            message_id=f"msg_{number % 7}",
            usage=usage(1_000, 100 * (number * 31 % 11)),
            workload=f"w{number % 3}",
            sent_at=f"2026-11-{1 + number % 5:02}T10:00:00Z",
        )
        for number in range(60)
    ]
    for start in range(0, 60, 13):
        record(*lines[start : start + 13])
    with duckdb.connect(ledger.home / "ledger.duckdb", read_only=True) as connection:
        sums = "select sum(requests), sum(output_tokens), sum(cost_usd) from daily"
        rows = "select count(*), sum(output_tokens), sum(cost_usd) from requests"
        assert connection.execute(sums).fetchall() == connection.execute(rows).fetchall()
        assert connection.execute("select count(*) from requests").fetchall() == [(7,)]
