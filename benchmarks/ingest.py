"""How fast journal lines become priced rows, beside DuckDB reading the same lines without looking at them."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.rows import Row
from core.capture.ids import new_request_id
from core.capture.journal import Journal
from core.capture.lines import request_line
from core.ledger import Ledger
from core.settings import change_setting

LINES = 500_000
RUNS = 3
LEAST_PER_S = 200_000
_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5")

_BARE = """
create table bare as
select request_id, sent_at::timestamptz, workload, model, usage.input_tokens::bigint, usage.output_tokens::bigint
from read_json(
    $files, format = 'newline_delimited',
    columns = {request_id: 'VARCHAR', sent_at: 'VARCHAR', workload: 'VARCHAR', model: 'VARCHAR',
               usage: 'STRUCT(input_tokens BIGINT, output_tokens BIGINT)'}
)
"""


def measure() -> list[Row]:
    """Lines a second of a first sync, on files as a recorder leaves them."""
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_journal(home, LINES)
        for _ in range(RUNS):
            ours.append(_ours(home))
            bare.append(_bare(home))
    rate, peer = LINES / statistics.median(ours), LINES / statistics.median(bare)
    name = f"ingest of {LINES:,} journal lines, checked and priced"
    return [
        Row(
            name, f"{rate:,.0f} lines/s", f"{peer:,.0f} lines/s (bare read_json)", rate / peer,
            f"≥ {LEAST_PER_S:,} lines/s", rate >= LEAST_PER_S,
        )
    ]  # fmt: skip


def write_journal(home: Path, lines: int) -> None:
    """A journal of so many requests up to now, as one recorder leaves it; two in five are batch items."""
    change_setting(home, "time_zone", "UTC")
    rng = random.Random(1)
    journal = Journal(home, durable=False)
    at = datetime.now(UTC) - timedelta(days=40)
    step = timedelta(days=40) / (lines + 1)
    journal.append_all(_line(number, at + step * number, rng) for number in range(lines))
    journal.close()


def _line(number: int, at: datetime, rng: random.Random) -> dict[str, object]:
    is_item = number // 1_000 % 5 < 2
    created = at.replace(minute=0, second=0, microsecond=0)
    return request_line(
        request_id=new_request_id(),
        sent_at=created if is_item else at,
        ended_at=created + timedelta(minutes=30) if is_item else at + timedelta(milliseconds=rng.randint(500, 20_000)),
        route="batch" if is_item else "sync",
        workload=f"workload-{number // 1_000 % 20}",
        model=_MODELS[number // 1_000 % 3],
        status="succeeded",
        source="capture",
        stop_reason="end_turn",
        message_id=f"msg_01{_letters(rng, 22)}",
        api_request_id=None if is_item else f"req_011C{_letters(rng, 20)}",
        batch_id=f"msgbatch_01bench{number // 1_000:07}" if is_item else None,
        custom_id=f"item-{number}" if is_item else None,
        attempts=1,
        streamed=None if is_item else False,
        usage={
            "input_tokens": rng.randint(200, 3_000),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4_000 if number % 2 else 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": rng.randint(50, 900),
            "service_tier": "batch" if is_item else "standard",
            "inference_geo": "global",
            "speed": "standard",
        },
    )


def _letters(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(_LETTERS, k=count))


def _ours(home: Path) -> float:
    (home / "ledger.duckdb").unlink(missing_ok=True)
    began = time.perf_counter()
    done = Ledger(home).sync()
    took = time.perf_counter() - began
    if done.added != LINES:
        raise SystemExit(f"The ingest is wrong: {done}")
    return took


def _bare(home: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with duckdb.connect(Path(folder) / "bare.duckdb") as connection:
            files = sorted(str(path) for path in (home / "journal").glob("*.jsonl"))
            connection.execute(_BARE, {"files": files})
        return time.perf_counter() - began
