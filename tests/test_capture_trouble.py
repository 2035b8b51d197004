"""Recording never breaks its program, and never loses what it acknowledged."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from core.capture import journal, recorded, recording, sink, trouble
from core.capture.files import write_first
from core.capture.home import HomeProblem, home_kind, mark_home
from core.capture.readers import StreamedMessage, WholeMessage
from core.sandbox import Handle
from tests.capturing import (
    STOP,
    answer,
    ask,
    bill,
    cost,
    delta,
    line_of,
    lines,
    recorded_script,
    refusal,
    scripted_async,
    started,
    stream,
)
from tests.capturing import program_home_fixture as program_home_fixture
from tests.capturing import sandbox_fixture as sandbox_fixture
from tests.capturing import server_fixture as server_fixture

ROOT = Path(__file__).parents[1]
STREAM = stream(started(), delta(output_tokens=40), STOP)
FROM_SANDBOX = answer(status=200, **{"x-halfprice-sandbox": "1"})
Warnings = Callable[[], list[str]]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Warnings:
    """What was logged for the user, in a process that has said nothing yet."""
    monkeypatch.setattr(trouble, "_said", {})
    return lambda: [record.getMessage() for record in caplog.records if record.name == "halfprice"]


# A journal that cannot be written


@pytest.fixture(params=["a file in the way", "no such device"])
def bad_home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "file").write_text("mine")
    bad = tmp_path / "file" if request.param == "a file in the way" else Path("/proc/nowhere/home")
    monkeypatch.setenv("HALFPRICE_HOME", str(bad))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    return bad


def test_calls_succeed_without_a_journal_and_one_warning_says_so(bad_home: Path, warnings: Warnings) -> None:
    def call() -> None:
        with recorded_script(answer(), STREAM) as api:
            assert api.messages.create(**ask()).id == "msg_1"
            assert len(list(api.messages.create(**ask(), stream=True))) == 3

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [warning] = warnings()
    assert "the journal cannot be written" in warning
    assert str(bad_home).rstrip("/home") in warning
    assert "Your calls are not affected" in warning


def test_asynchronous_calls_succeed_without_a_journal(bad_home: Path, warnings: Warnings) -> None:
    async def run() -> None:
        async with recorded(scripted_async(answer())) as api:
            for _ in range(3):
                assert (await api.messages.create(**ask())).id == "msg_1"

    asyncio.run(run())
    assert len(warnings()) == 1


def test_a_user_without_a_home_folder_is_told_what_to_set(warnings: Warnings, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HALFPRICE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "/nowhere")
    with recorded_script(answer()) as api:
        for _ in range(2):
            assert api.messages.create(**ask()).id == "msg_1"
    [warning] = warnings()
    assert "Set HALFPRICE_HOME" in warning


def test_a_disk_that_fills_up_and_empties_again(
    program_home: Path, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with recorded_script(answer()) as api:
        api.messages.create(**ask())
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            api.messages.create(**ask())
            api.messages.create(**ask())
        api.messages.create(**ask())
    assert len(lines(program_home)) == 2
    [warning] = warnings()
    assert "No space left on device" in warning


def test_a_journal_that_somebody_deletes_is_begun_anew(program_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOOK_S", 0.0)
    with recorded_script(answer()) as api:
        api.messages.create(**ask())
        [file] = (program_home / "journal").iterdir()
        file.unlink()
        api.messages.create(**ask())
    assert line_of(program_home)["status"] == "succeeded"


# Bugs of ours


@pytest.mark.parametrize(("owner", "name"), [(WholeMessage, "feed"), (WholeMessage, "end"), (StreamedMessage, "feed")])
def test_a_bug_in_the_recorder_costs_a_record_and_not_a_call(
    program_home: Path, warnings: Warnings, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    def bug(*_words: Any) -> Any:
        raise AttributeError("no such thing")

    monkeypatch.setattr(owner, name, bug)
    with recorded_script(STREAM if owner is StreamedMessage else answer()) as api:
        for _ in range(2):
            assert list(api.messages.create(**ask(), stream=owner is StreamedMessage))
    [warning] = warnings()
    assert "AttributeError" in warning
    assert "Please report it" in warning


@pytest.mark.parametrize("usage", ['{"input_tokens": NaN, "output_tokens": 1}', '{"note": "\\ud800"}'])
def test_what_cannot_be_written_down_is_told_of(program_home: Path, warnings: Warnings, usage: str) -> None:
    body = f'{{"id": "msg_1", "model": "m", "usage": {usage}}}'.encode()
    with recorded_script(lambda: httpx2.Response(200, content=body), answer()) as api:
        api.messages.with_raw_response.create(**ask())
        api.messages.create(**ask())
    assert len(lines(program_home)) == 1
    [warning] = warnings()
    assert "cannot be written down" in warning


# Real and sandbox requests never share a home


def test_the_home_is_read_at_the_first_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    with recorded_script(answer()) as api:
        for name in ("first", "second"):
            monkeypatch.setenv("HALFPRICE_HOME", str(tmp_path / name))
            api.messages.create(**ask())
    assert len(lines(tmp_path / "first")) == 2
    assert not (tmp_path / "second").exists()


def test_the_first_answer_decides_what_a_home_is_for(home: Path, sandbox: Handle, warnings: Warnings) -> None:
    with recorded(anthropic.Anthropic()) as api:
        api.messages.create(**ask())
    assert home_kind(home) == "sandbox"
    with recorded_script(answer()) as real:
        real.messages.create(**ask())
        real.messages.create(**ask())
    assert len(lines(home)) == 1
    [warning] = warnings()
    assert "holds the sandbox's requests, and these are real" in warning
    assert "Set HALFPRICE_HOME" in warning
    assert cost(home) == bill(sandbox)


def test_a_home_of_real_requests_takes_none_of_the_sandbox(program_home: Path, warnings: Warnings) -> None:
    with recorded_script(
        answer(), FROM_SANDBOX, refusal(404, "not_found_error", **{"x-halfprice-sandbox": "1"})
    ) as api:
        api.messages.create(**ask())
        api.messages.create(**ask())
        with pytest.raises(anthropic.NotFoundError):
            api.messages.create(**ask())
    assert home_kind(program_home) == "real"
    assert len(lines(program_home)) == 1
    assert len(warnings()) == 1


def test_a_request_that_nothing_answered_decides_nothing(program_home: Path) -> None:
    with recorded_script(httpx2.ConnectError("refused"), FROM_SANDBOX, max_retries=0) as api:
        with pytest.raises(anthropic.APIConnectionError):
            api.messages.create(**ask())
        assert home_kind(program_home) is None
        api.messages.create(**ask())
    assert home_kind(program_home) == "sandbox"
    assert [line["status"] for line in lines(program_home)] == ["errored", "succeeded"]


def test_of_two_that_mark_a_home_at_once_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(path: Path, content: bytes) -> bool:
        mark_home(path.parent, "real")
        return write_first(path, content)

    calls = iter([late, write_first])
    monkeypatch.setattr("core.capture.home.write_first", lambda path, content: next(calls)(path, content))
    with pytest.raises(HomeProblem, match="holds real requests"):
        mark_home(tmp_path / "home", "sandbox")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["kind"]


# The event loop


def test_nothing_is_written_on_the_event_loop(program_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers = set()
    real = os.write

    def write(fd: int, data: bytes) -> int:
        writers.add(threading.current_thread().name)
        return real(fd, data)

    def flush(fd: int) -> None:
        writers.add(threading.current_thread().name)

    async def run() -> None:
        async with recorded(scripted_async(answer(), STREAM, refusal(404, "not_found_error"))) as api:
            await api.messages.create(**ask())
            assert len(lines(program_home)) == 1  # durable when the call returns
            _ = [event async for event in await api.messages.create(**ask(), stream=True)]
            with pytest.raises(anthropic.NotFoundError):
                await api.messages.create(**ask())

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(journal, "_flush", flush)
    asyncio.run(run())
    assert len(lines(program_home)) == 3
    assert writers == {"halfprice-writer"}


def test_a_task_cancelled_after_its_answer_was_paid_for_leaves_the_record(
    program_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def slow_flush(fd: int) -> None:
        writing.set()
        go_on.wait()

    async def run() -> None:
        async with recorded(scripted_async(answer())) as api:
            task = asyncio.create_task(api.messages.create(**ask()))
            await asyncio.to_thread(writing.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        go_on.set()

    monkeypatch.setattr(journal, "_flush", slow_flush)
    asyncio.run(run())
    sink.find_sink(program_home, durable=True).close()
    assert line_of(program_home)["status"] == "succeeded"


def test_many_tasks_share_a_flush(program_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = []
    first = threading.Event()

    def flush(fd: int) -> None:
        first.wait()
        flushes.append(fd)

    async def run() -> None:
        async with recorded(scripted_async(answer())) as api:
            tasks = [asyncio.create_task(api.messages.create(**ask())) for _ in range(50)]
            await asyncio.sleep(0.2)  # so that most of them wait for the first one's flush
            first.set()
            await asyncio.gather(*tasks)

    monkeypatch.setattr(journal, "_flush", flush)
    asyncio.run(run())
    assert len(lines(program_home)) == 50
    assert len(flushes) < 50


# Threads and processes


def test_a_synchronous_program_gets_no_thread(program_home: Path) -> None:
    """One would make every fork warn from Python 3.12 on."""
    before = threading.active_count()
    with recorded_script(answer(), STREAM) as api:
        api.messages.create(**ask())
        list(api.messages.create(**ask(), stream=True))
        api.messages.create(**ask(), stream=True)
        gc.collect()
    assert len(lines(program_home)) == 3
    assert threading.active_count() == before


def test_threads_share_a_client(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic(), durable=False) as api:

        def call() -> None:
            for _ in range(10):
                api.messages.create(**ask())

        threads = [threading.Thread(target=call) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({line["request_id"] for line in lines(home)}) == 60
    assert cost(home) == bill(sandbox)


def test_a_forked_child_records_its_own_calls_and_an_exit_what_is_open(home: Path, sandbox: Handle) -> None:
    program = """
import asyncio, os, sys
import anthropic
from core.capture import recorded
asked = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}]}
api = recorded(anthropic.Anthropic())
events = api.messages.create(**asked, stream=True)
next(events)  # the parent's stream, open, and the writer thread runs
child = os.fork()
if not child:
    api.messages.create(**asked)
    asyncio.run(recorded(anthropic.AsyncAnthropic()).messages.create(**asked))
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
list(events)
open_at_exit = api.messages.create(**asked, stream=True)
next(open_at_exit)
raise SystemExit(3)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert len({line["request_id"] for line in lines(home)}) == len(lines(home)) == 4
    assert [line["usage"]["output_tokens"] for line in lines(home) if line.get("incomplete")] == [1]


KILLS = int(os.environ.get("HALFPRICE_KILLS", "4"))
"""How many recorded programs are killed; a long run takes a hundred or more."""
PROGRAMS = """
import asyncio, os, sys, threading
import anthropic
from core.capture import recorded
asked = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}]}
def say(text):
    os.write(1, f"{text}\\n".encode())
def calls():
    api = recorded(anthropic.Anthropic())
    while True:
        say(api.messages.create(**asked).id)
        with api.messages.stream(**asked) as stream:
            say(stream.get_final_message().id)
async def tasks():
    async def forever():
        while True:
            say((await api.messages.create(**asked)).id)
    async with recorded(anthropic.AsyncAnthropic()) as api:
        await asyncio.gather(*(forever() for _ in range(4)))
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        say(f"pid {os.getpid()}")
        threading.Thread(target=calls, daemon=True).start()
        asyncio.run(tasks())
    os.waitpid(child, 0)
"""


def test_killed_programs_lose_nothing_that_was_acknowledged(home: Path, sandbox: Handle) -> None:
    """One program after the other, each killed at a moment of its own; what it said it had is what counts."""
    words = [sys.executable, "-c", PROGRAMS, str(KILLS)]
    programs = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert programs.stdout is not None
    said: list[str] = []
    pid, more, kills = 0, 0, 0
    for line in programs.stdout:
        if line.startswith("pid "):
            pid, more = int(line.split()[1]), random.randint(1, 40)
        elif more:
            said.append(line.strip())
            more -= 1
            if not more:
                time.sleep(random.random() / 50)  # anywhere in what comes next
                os.kill(pid, signal.SIGKILL)
                kills += 1
        else:
            said.append(line.strip())  # said before the kill took effect
    programs.stdout.close()
    assert (programs.wait(), kills) == (0, KILLS)
    stored = [line["message_id"] for line in lines(home)]
    assert set(said) <= set(stored)
    assert len(stored) == len(set(stored))
    assert Decimal(0) < cost(home) <= bill(sandbox)


# Importing


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_journal_alone_does_not_import_the_sdk() -> None:
    program = "import sys, core.capture.journal; print({'anthropic', 'httpx2', 'asyncio'} & set(sys.modules))"
    assert python(program).stdout == "set()\n"


def test_windows_gets_one_sentence() -> None:
    done = python("import sys; sys.modules['fcntl'] = None\nimport core.capture.journal")
    assert done.stderr.splitlines()[-1] == (
        "ImportError: Halfprice runs on Linux and macOS. On Windows run your program inside WSL."
    )


def test_the_package_offers_what_it_says_and_nothing_else() -> None:
    import core.capture

    assert all(getattr(core.capture, name) for name in core.capture.__all__)
    assert core.capture.recording is recording
    with pytest.raises(AttributeError, match="has no attribute 'record'"):
        _ = core.capture.record
