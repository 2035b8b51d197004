"""Recorders and ingesters that are killed at random moments: `python -m tests.kills --kills 1000 --seed 7`.

Sixteen recorders append, ingesters bring in, readers ask, all in processes of their own. Whenever one is killed with
SIGKILL another one takes its place. In the end the ledger holds every request that was acknowledged, and none twice.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.capture.journal import Journal
from core.ledger import Ledger
from core.periods import Period
from core.settings import change_setting
from tests.lines import NOVEMBER, NOW, request

RECORDERS, INGESTERS, READERS = 16, 2, 2
ID_BYTES = 36
LONGEST_LIFE_S = 0.06


@dataclass(slots=True)
class Worker:
    """One process and the end of the pipe on which it says what it did."""

    pid: int
    said: int
    kind: str


@dataclass(slots=True)
class Run:
    """What a run did: kills by kind, ids that recorders acknowledged, and what the ledger holds in the end."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    counted: int = 0

    @property
    def lost(self) -> set[str]:
        """Acknowledged requests that the ledger does not hold."""
        return set(self.acknowledged) - set(self.stored)

    @property
    def doubled(self) -> int:
        """Rows that are there once more."""
        return len(self.stored) - len(set(self.stored))


def run(home: Path, kills: int, seed: int) -> Run:
    """Kill so many processes, then bring in what is left."""
    change_setting(home, "time_zone", "UTC")
    Ledger(home).sync(NOW)
    rng, result = random.Random(seed), Run()
    kinds = {"recorder": (_record, RECORDERS), "ingester": (_ingest, INGESTERS), "reader": (_read, READERS)}
    workers = [_start(kind, work, home) for kind, (work, count) in kinds.items() for _ in range(count)]
    heard: dict[int, bytes] = {}
    for _ in range(kills):
        _listen(workers, heard, rng.uniform(0, LONGEST_LIFE_S))
        place = rng.randrange(len(workers)) if rng.random() < 0.5 else rng.randrange(RECORDERS, len(workers))
        victim = workers[place]
        os.kill(victim.pid, signal.SIGKILL)
        _hear_out(victim, heard)
        result.kills[victim.kind] = result.kills.get(victim.kind, 0) + 1
        workers[place] = _start(victim.kind, kinds[victim.kind][0], home)
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
        _hear_out(worker, heard)
    text = b"".join(said[: len(said) // ID_BYTES * ID_BYTES] for said in heard.values()).decode()
    result.acknowledged = [text[at : at + ID_BYTES] for at in range(0, len(text), ID_BYTES)]
    ledger = Ledger(home)
    ledger.sync(NOW)
    with ledger.read() as reader:
        result.stored = [str(row[0]) for row in reader._rows("select request_id from requests")]
        result.counted = reader.total(NOVEMBER).requests
    return result


def _record(home: Path, say: Callable[[bytes], None]) -> None:
    journal = Journal(home, rotate_bytes=20_000)
    while True:
        line = request()
        journal.append(line)
        say(line["request_id"].encode())


def _ingest(home: Path, _say: Callable[[bytes], None]) -> None:
    while True:
        Ledger(home).sync(NOW)


def _read(home: Path, _say: Callable[[bytes], None]) -> None:
    """As the dashboard and the command line do: bring in, then ask; what is asked twice in one state is the same."""
    ledger = Ledger(home)
    while True:
        ledger.sync(NOW)
        with ledger.read() as reader:
            whole = reader.total(NOVEMBER)
            days = [reader.total(Period(row, row.replace(day=row.day + 1))) for row in [NOVEMBER.first.replace(day=10)]]
            if sum(day.cost_usd for day in days) != whole.cost_usd:
                os.kill(os.getpid(), signal.SIGABRT)


def _start(kind: str, work: Callable[[Path, Callable[[bytes], None]], None], home: Path) -> Worker:
    hear, say = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        return Worker(pid, hear, kind)
    os.close(hear)
    try:
        work(home, lambda said: (os.write(say, said), None)[1])
    finally:
        os._exit(3)  # an error has been printed; nothing of the parent may run here


def _listen(workers: list[Worker], heard: dict[int, bytes], seconds: float) -> None:
    """Read what recorders say for a while."""
    until = time.monotonic() + seconds
    pipes = {worker.said: worker.pid for worker in workers}
    while (left := until - time.monotonic()) > 0:
        for ready in select.select(list(pipes), [], [], left)[0]:
            heard[pipes[ready]] = heard.get(pipes[ready], b"") + os.read(ready, 1 << 16)


def _hear_out(worker: Worker, heard: dict[int, bytes]) -> None:
    """Read the rest of what a killed process said, and see it off."""
    while said := os.read(worker.said, 1 << 16):
        heard[worker.pid] = heard.get(worker.pid, b"") + said
    os.close(worker.said)
    _, status = os.waitpid(worker.pid, 0)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
        raise AssertionError(f"a {worker.kind} ended by itself, with status {status}")


def main() -> int:
    """Run as often as asked and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder) / "home", args.kills, args.seed)
    print(
        f"{args.kills} kills {result.kills}, {len(result.acknowledged):,} requests acknowledged, "
        f"{len(result.stored):,} stored, {len(result.lost)} lost, {result.doubled} doubled"
    )
    return 1 if result.lost or result.doubled or result.counted != len(result.stored) else 0


if __name__ == "__main__":
    sys.exit(main())
