"""How long `halfprice spend` takes from the shell, beside an interpreter that only imports DuckDB."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rows import Row
from core.ledger import Ledger
from core.ledger.sample import write_sample_journal

RUNS = 9
LIMIT = 5.0


def measure() -> list[Row]:
    """Milliseconds of the whole process on the sample ledger, in turns with the peer."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "journal").mkdir()
        write_sample_journal(home / "journal" / "sample.jsonl", datetime.now(UTC))
        Ledger(home).sync()
        command = str(Path(sys.executable).with_name("halfprice"))
        ours_ms, peer_ms = [], []
        for _ in range(RUNS):
            ours_ms.append(_milliseconds([command, "spend", "--json"], home))
            peer_ms.append(_milliseconds([sys.executable, "-c", "import duckdb"], home))
    ours, peer = statistics.median(ours_ms), statistics.median(peer_ms)
    ratio = ours / peer
    name = "halfprice spend on 240,000 requests, whole process"
    return [Row(name, f"{ours:,.0f} ms", f"{peer:,.0f} ms (import duckdb)", ratio, f"≤ {LIMIT:g}", ratio <= LIMIT)]


def _milliseconds(command: list[str], home: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"HALFPRICE_HOME": str(home)})
    return (time.perf_counter() - began) * 1_000
