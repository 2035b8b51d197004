"""Recorders on their own files: nothing that was acknowledged is lost, whatever dies."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.capture.ids import new_request_id
from core.capture.journal import Journal
from core.ledger import Ledger
from tests.lines import NOVEMBER, NOW, request


def start(program: str, *words: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
    )


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


@pytest.mark.parametrize("seed", [1])
def test_a_hundred_kills_neither_lose_nor_double_a_request(tmp_path: Path, seed: int) -> None:
    """Sixteen recorders, ingesters and readers at once; the same run with more kills: `python -m tests.kills`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "--kills", "100", "--seed", str(seed)],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 doubled" in done.stdout


def test_request_ids_sort_by_time_and_are_unique() -> None:
    ids = [new_request_id() for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)
