"""What pages and ledger cost when the history is long: ten million requests, or as many as HALFPRICE_BENCH_ROWS says.

The month page is also asked of indexed SQLite and of pandas in memory, from the same million requests.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.history import make_home
from benchmarks.rows import Row
from core.ledger import Ledger, Reader
from core.periods import Period, month_before, month_of
from tests.browser.driver import find_chromium, launch, serving, settle

REQUESTS = int(os.environ.get("HALFPRICE_BENCH_ROWS", "10_000_000").replace("_", ""))
SMALL = 1_000_000
RUNS = 9
MOST_MS = 50
MOST_BYTES = 80
MOST_MB = 600


def measure() -> list[Row]:
    """The queries of the Overview, the size of the ledger, the memory of the dashboard, the month beside peers."""
    with tempfile.TemporaryDirectory() as folder:
        long, short = make_home(Path(folder) / "long", REQUESTS), make_home(Path(folder) / "short", SMALL)
        return [*_overview(long), _size(long), *_memory(long), *_peers(short, Path(folder))]


def overview(reader: Reader, month: Period) -> object:
    """Everything that the Overview asks about a month."""
    before = month_before(month)
    return (
        reader.span(),
        reader.total(month),
        reader.total(before),
        [reader.spend_by(month, by) for by in ("model", "workload", "route")],
        [reader.spend_by_day(month, by) for by in ("model", "workload", "route")],
        reader.rankings(),
        reader.unpriced(month),
        reader.quarantine(),
    )


def _overview(home: Path) -> list[Row]:
    with Ledger(home).read() as reader:
        month = _newest_month(reader)
        ours, scan = _in_turns(
            lambda: overview(reader, month), lambda: reader._rows("select sum(cost_usd), count(*) from requests")
        )
    return [
        Row(
            f"all queries of the Overview, {REQUESTS:,} requests", f"{ours:.1f} ms",
            f"{scan:.1f} ms (scan of one column)", ours / scan, f"≤ {MOST_MS} ms", ours <= MOST_MS,
        )
    ]  # fmt: skip


def _size(home: Path) -> Row:
    each = (home / "ledger.duckdb").stat().st_size / REQUESTS
    return Row(
        f"ledger of {REQUESTS:,} requests", f"{each:.1f} bytes a request", f"{MOST_BYTES} (limit)", each / MOST_BYTES,
        f"≤ {MOST_BYTES} bytes", each <= MOST_BYTES,
    )  # fmt: skip


def _memory(home: Path) -> Iterator[Row]:
    """Resident memory of the dashboard's process after every page was looked at, beside a bare Streamlit process."""
    executable = find_chromium()
    if executable is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, serving("dashboard", home) as url:
        browser = launch(playwright, executable)
        page = browser.new_page(bypass_csp=True)
        for path in ("/", "/batches", "/workloads", "/launch"):
            page.goto(url + path)
            settle(page)
        ours = _resident_mb(url)
        browser.close()
    bare = _bare_streamlit_mb()
    yield Row(
        f"dashboard after all pages, {REQUESTS:,} requests", f"{ours:.0f} MB resident",
        f"{bare:.0f} MB (import streamlit, pandas, plotly)", ours / bare, f"≤ {MOST_MB} MB", ours <= MOST_MB,
    )  # fmt: skip


def _resident_mb(url: str) -> float:
    """Of the process that listens on that port."""
    port = url.rsplit(":", 1)[1]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if port in words and "dashboard" in words:
            return _status_mb(folder)
    raise SystemExit("The dashboard's process was not found; this measurement needs Linux.")


def _status_mb(folder: Path) -> float:
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1_000
    raise SystemExit("This measurement needs Linux.")


def _bare_streamlit_mb() -> float:
    program = (
        "import streamlit, pandas, plotly.graph_objects, duckdb, pyarrow\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1_000


# The month page of a tool that keeps its requests in SQLite, or in a data frame

_SQLITE = """
select {by}, count(*), sum(input_tokens), sum(output_tokens), sum(cost_usd), sum(list_usd)
from requests where sent_at >= ? and sent_at < ? group by 1 order by 5 desc
"""
_SQLITE_DAYS = """
select substr(sent_at, 1, 10), {by}, count(*), sum(cost_usd) from requests
where sent_at >= ? and sent_at < ? group by 1, 2
"""


def _peers(home: Path, folder: Path) -> list[Row]:
    with (
        _frame(home) as frame,
        _sqlite(frame, folder / "peer.sqlite") as other,
        Ledger(home).read() as reader,
    ):
        month = _newest_month(reader)
        since, until = (f"{day:%Y-%m-%d}" for day in (month.first, month.end))

        def in_sqlite() -> None:
            for by in ("model", "workload", "route"):
                other.execute(_SQLITE.format(by=by), (since, until)).fetchall()
                other.execute(_SQLITE_DAYS.format(by=by), (since, until)).fetchall()

        def in_pandas() -> None:
            rows = frame[(frame.sent_at >= since) & (frame.sent_at < until)]
            for by in ("model", "workload", "route"):
                sums = rows.groupby(by, observed=True)[["input_tokens", "output_tokens", "cost_usd", "list_usd"]].sum()
                sums.sort_values("cost_usd")
                rows.groupby([rows.sent_at.str[:10], by], observed=True)["cost_usd"].agg(["count", "sum"])

        def ours() -> None:
            for by in ("model", "workload", "route"):
                reader.spend_by(month, by)
                reader.spend_by_day(month, by)

        return [_against(name, ours, peer) for name, peer in (("SQLite, indexed", in_sqlite), ("pandas", in_pandas))]


def _against(name: str, ours: Callable[[], object], peer: Callable[[], object]) -> Row:
    mine, theirs = _in_turns(ours, peer)
    ratio = theirs / mine
    title = f"the month by model, workload, route and day, {SMALL:,} requests"
    return Row(title, f"{mine:.1f} ms", f"{theirs:.1f} ms ({name})", ratio, "≥ 1", ratio >= 1)


@contextmanager
def _frame(home: Path) -> Iterator[pd.DataFrame]:
    with duckdb.connect(home / "ledger.duckdb", read_only=True) as connection:
        frame = connection.execute(
            "select strftime(sent_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S') as sent_at, model, workload, route, "
            "input_tokens, output_tokens, cost_usd::double as cost_usd, "
            "list_usd(cost_usd, service_tier, web_searches)::double as list_usd from requests"
        ).df()
    yield frame


@contextmanager
def _sqlite(frame: pd.DataFrame, path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        frame.to_sql("requests", connection, index=False)
        connection.execute("create index by_time on requests (sent_at, model, workload, route, cost_usd)")
        connection.commit()
        yield connection


def _newest_month(reader: Reader) -> Period:
    span = reader.span()
    if span is None:
        raise SystemExit("The history is empty.")
    return month_of((span.newest_at - timedelta(days=31)).date())


def _in_turns(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds of both, asked in turns."""
    mine, theirs = [], []
    for _ in range(RUNS):
        mine.append(_milliseconds(ours))
        theirs.append(_milliseconds(peer))
    return statistics.median(mine), statistics.median(theirs)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000
