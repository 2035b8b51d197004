"""Recorders on their own files: nothing that was acknowledged is lost, whatever dies."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.capture.ids import new_request_id
from core.capture.journal import Journal
from core.ledger import Ledger
from tests.lines import NOVEMBER, NOW, request

# Appends until it is killed and says each acknowledged id; the parent reads them from the pipe.
RECORDER = """
import sys
from pathlib import Path
from core.capture.journal import Journal
from tests.lines import request
journal = Journal(Path(sys.argv[1]), rotate_bytes=20_000)
for _ in range(int(sys.argv[2])):
    line = request()
    journal.append(line)
    print(line["request_id"], flush=True)
"""

INGESTER = """
import sys
from pathlib import Path
from core.ledger import Ledger
print("ready", flush=True)
while True:
    Ledger(Path(sys.argv[1])).sync()
"""


def start(program: str, *words: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
    )


def acknowledged(recorder: subprocess.Popen[str], most: int | None = None) -> list[str]:
    """The ids a recorder has said, whole lines only; with `most` it is killed after that many."""
    assert recorder.stdout is not None
    ids = []
    for line in recorder.stdout:
        if line.endswith("\n"):
            ids.append(line.strip())
        if len(ids) == most:
            recorder.kill()
    recorder.wait()
    recorder.stdout.close()
    return ids


def stored_ids(ledger: Ledger) -> list[str]:
    ledger.sync(NOW)
    with ledger.read() as reader:
        return [str(row[0]) for row in reader._rows("select request_id from requests")]


def test_a_line_is_whole_json_in_a_private_file(home: Path) -> None:
    journal = Journal(home)
    line = request(workload="naïve ünïcode \n newline")
    journal.append(line)
    text = journal.files[0].read_text(encoding="utf-8")
    assert text.count("\n") == 1
    assert json.loads(text) == line
    assert journal.files[0].stat().st_mode & 0o777 == 0o600


def test_files_rotate_and_keep_every_line(home: Path, ledger: Ledger) -> None:
    journal = Journal(home, durable=False, rotate_bytes=1_000)
    for _ in range(20):
        journal.append(request())
    assert len(journal.files) >= 5
    assert len(stored_ids(ledger)) == 20


def test_nan_is_refused_before_anything_is_written(home: Path) -> None:
    journal = Journal(home)
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append(request(usage={"input_tokens": float("nan")}))
    assert journal.files == []


def test_threads_share_a_journal(home: Path, ledger: Ledger) -> None:
    journal = Journal(home, durable=False)

    def append_some() -> None:
        for _ in range(50):
            journal.append(request())

    threads = [threading.Thread(target=append_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(stored_ids(ledger))) == 400


def test_a_forked_child_writes_to_a_file_of_its_own(home: Path, ledger: Ledger) -> None:
    journal = Journal(home)
    journal.append(request())
    child = multiprocessing.get_context("fork").Process(target=journal.append, args=(request(),))
    child.start()
    child.join()
    journal.append(request())
    assert child.exitcode == 0
    assert len(list((home / "journal").glob("*.jsonl"))) == 2
    assert len(stored_ids(ledger)) == 3


# Writes one line, then two more with room for only so many bytes in any file.
CRAMPED = """
import resource, signal, sys
from pathlib import Path
from core.capture.journal import Journal
from tests.lines import request
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
journal.append(request())
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    journal.append_all([request(), request()])
except OSError as error:
    print(error, flush=True)
"""


def test_a_child_forked_while_a_thread_writes_can_write_too(home: Path, ledger: Ledger) -> None:
    program = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from core.capture.journal import Journal\n"
        "from tests.lines import request\n"
        "journal, stop = Journal(Path(sys.argv[1]), durable=False), threading.Event()\n"
        "def write():\n    while not stop.is_set(): journal.append(request())\n"
        "threading.Thread(target=write).start()\n"
        "for _ in range(20):\n"
        "    child = os.fork()\n"
        "    if not child:\n        journal.append(request(workload='child'))\n        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "stop.set()\n"
    )
    writer = start(program, str(home))
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    ledger.sync(NOW)
    with ledger.read() as reader:
        by_workload = {row.key: row.spend.requests for row in reader.spend_by(NOVEMBER, "workload")}
    assert by_workload["child"] == 20


def test_a_torn_write_is_repeated_in_a_fresh_file(home: Path, ledger: Ledger) -> None:
    output, _ = start(CRAMPED, str(home), "600").communicate()
    assert output == ""
    assert len(list((home / "journal").glob("*.jsonl"))) == 2
    assert len(stored_ids(ledger)) == 3


def test_a_full_disk_is_an_error_and_leaves_nothing_in_the_way(home: Path, ledger: Ledger) -> None:
    output, _ = start(CRAMPED, str(home), "400").communicate()
    assert "disk full" in output
    Journal(home).append(request())
    ids = stored_ids(ledger)
    assert len(ids) == len(set(ids)) >= 2
    with ledger.read() as reader:
        assert reader.quarantine() == []


def test_killed_recorders_lose_nothing_they_acknowledged(home: Path, ledger: Ledger) -> None:
    recorders = [start(RECORDER, str(home), "100000") for _ in range(4)]
    said = [id_ for most, recorder in enumerate(recorders) for id_ in acknowledged(recorder, most=7 + 13 * most)]
    stored = stored_ids(ledger)
    assert set(said) <= set(stored)
    assert len(stored) == len(set(stored))


def test_killed_ingesters_neither_lose_nor_double(home: Path, ledger: Ledger) -> None:
    """Ingesters are killed at random moments while recorders write and this process reads."""
    recorders = [start(RECORDER, str(home), "150") for _ in range(3)]
    collectors = [threading.Thread(target=lambda r=recorder: said.extend(acknowledged(r))) for recorder in recorders]
    said: list[str] = []
    for collector in collectors:
        collector.start()
    kills = 0
    while any(collector.is_alive() for collector in collectors) or kills < 8:
        ingester = start(INGESTER, str(home))
        assert ingester.stdout is not None
        assert ingester.stdout.readline() == "ready\n"
        with ledger.read() as reader:
            reader.total(NOVEMBER)
        os.killpg(ingester.pid, signal.SIGKILL)
        ingester.wait()
        ingester.stdout.close()
        kills += 1
    for collector in collectors:
        collector.join()
    assert len(said) == 450
    assert sorted(stored_ids(ledger)) == sorted(said)
    with ledger.read() as reader:
        assert reader.total(NOVEMBER).requests == 450


def test_request_ids_sort_by_time_and_are_unique() -> None:
    ids = [new_request_id() for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)
