"""Sending and collecting when things go wrong: what was paid for is kept, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest

from core.client import _lines
from core.sandbox import Handle
from tests.sending import Call, answers, line, posts, run_json, spent, write

LOST = {"method": "POST", "path": "/v1/messages/batches", "kind": "close", "when": "before"}


def sent(call: Call, file: Path, route: str, *words: str) -> subprocess.CompletedProcess[str]:
    return call("run", str(file), "--workload", "reviews", "--route", route, "--yes", *words)


def strangers_batch(sandbox: Handle, count: int) -> str:
    requests = [line(number) for number in range(count)]
    with anthropic.Anthropic(base_url=sandbox.url, api_key="another-program") as api:
        return api.messages.batches.create(requests=requests).id  # type: ignore[arg-type]


def test_a_strangers_batch_is_never_taken_for_a_lost_one(call: Call, sandbox: Handle, file: Path) -> None:
    sandbox.script(LOST)
    assert sent(call, file, "batch").returncode == 1
    sandbox.advance(3 * 3_600)
    strangers_batch(sandbox, 40)
    collected = call("batch", "collect")
    assert collected.returncode == 1
    assert "did not say whether it took the batch" in collected.stderr
    assert spent(call)["requests"] == 0


def test_sending_anew_ends_the_doubt_about_the_lost_one(call: Call, sandbox: Handle, file: Path) -> None:
    sandbox.script(LOST)
    assert sent(call, file, "batch").returncode == 1
    run_json(call, file, "batch", "--again")
    sandbox.advance(3_600)
    done = call("batch", "collect")
    assert (done.returncode, "did not say" in done.stderr) == (0, False)
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_a_run_that_sent_nothing_may_still_become_a_batch(call: Call, sandbox: Handle, file: Path) -> None:
    sandbox.script({"method": "POST", "path": "/v1/messages", "times": 8, "status": 402, "error_type": "billing_error"})
    assert sent(call, file, "sync").returncode == 1
    assert run_json(call, file, "batch")["route"] == "batch"
    assert posts(sandbox, "/v1/messages") == 8


def test_a_half_sent_run_does_not_change_its_route_in_silence(call: Call, sandbox: Handle, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    write(file, *(line(number) for number in range(30)))
    sandbox.script({"method": "POST", "path": "/v1/messages", "status": 402, "error_type": "billing_error"})
    assert sent(call, file, "sync").returncode == 1
    refused = sent(call, file, "batch")
    assert refused.returncode == 1
    assert "--route sync to go on" in refused.stderr
    assert posts(sandbox, "/v1/messages/batches") == 0
    assert run_json(call, file, "sync")["succeeded"] == 30
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_what_failed_for_a_passing_reason_is_sent_again_and_nothing_else(
    call: Call,
    sandbox: Handle,
    tmp_path: Path,
) -> None:
    file = tmp_path / "three.jsonl"
    write(file, *(line(number) for number in range(3)))
    busy = {"status": 529, "error_type": "overloaded_error", "headers": {"retry-after-ms": "1"}}
    sandbox.script({"method": "POST", "path": "/v1/messages", "times": 15, **busy})
    assert json.loads(sent(call, file, "sync", "--json").stdout)["errored"] == 3
    before = posts(sandbox, "/v1/messages")
    assert run_json(call, file, "sync")["succeeded"] == 3
    assert posts(sandbox, "/v1/messages") == before + 3
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_an_interrupted_run_keeps_what_was_paid_for(home: Path, sandbox: Handle, call: Call, file: Path) -> None:
    write(file, *(line(number) for number in range(1_000)))
    keys = {"HALFPRICE_HOME": str(home), "ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": "sandbox"}
    words: list[str | Path] = [Path(sys.executable).with_name("halfprice"), "run", file, "--workload", "reviews"]
    started = subprocess.Popen(
        [*words, "--route", "sync", "--yes"],
        env=os.environ | keys,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs these tests in the background ignores Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while posts(sandbox, "/v1/messages") < 60:
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert "the same command goes on from there" in said
    run_json(call, file, "sync")
    assert posts(sandbox, "/v1/messages") == 1_000
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_a_place_for_the_answers_is_proved_before_anything_is_paid(
    call: Call,
    sandbox: Handle,
    file: Path,
    tmp_path: Path,
) -> None:
    taken = tmp_path / "taken.jsonl"
    taken.write_text("mine")
    for out in (taken, tmp_path, file, Path("/proc/nowhere/x.jsonl")):
        done = sent(call, file, "sync", "--out", str(out))
        assert (done.returncode, str(out) in done.stderr) == (2, True)
    assert taken.read_text() == "mine"
    assert posts(sandbox, "/v1/messages") == 0
    assert len(answers(run_json(call, file, "sync", "--out", str(tmp_path / "new.jsonl"))["results_path"])) == 40


def test_the_key_is_never_shown(call: Call, file: Path) -> None:
    done = call("run", str(file), "--workload", "reviews", "--yes", ANTHROPIC_API_KEY="sk-SECRET\n")
    assert done.returncode == 1
    assert "SECRET" not in done.stderr + done.stdout
    assert "the key holds a line break" in done.stderr


def test_collecting_does_not_mix_a_real_home_with_the_sandbox(call: Call, file: Path, home: Path) -> None:
    run_json(call, file, "batch")
    (home / "kind").write_text("real\n")
    done = call("batch", "collect")
    assert (done.returncode, "HALFPRICE_HOME" in done.stderr) == (1, True)


def test_a_long_wait_is_said_and_not_waited_for(call: Call, sandbox: Handle, file: Path) -> None:
    wait = {"status": 429, "error_type": "rate_limit_error", "headers": {"retry-after": "100000"}}
    sandbox.script({"method": "POST", "path": "/v1/messages", "times": 8, **wait})
    done = sent(call, file, "sync")
    assert done.returncode == 1
    assert "asks to wait for 100,000 seconds" in done.stderr
    assert run_json(call, file, "sync")["succeeded"] == 40


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"metadata": {"user_id": "\ud800"}}, "cannot carry"),
        ({"metadata": {"n": float("inf")}}, "Infinity"),
        ({"speed": {}}, "params.speed"),
        ({"inference_geo": [1]}, "params.inference_geo"),
        ({"model": ".."}, "params.model"),
        ({"model": "a\nb"}, "params.model"),
        ({"max_tokens": 10**400}, "params.max_tokens"),
    ],
)
def test_odd_parameters_are_named_before_anything_is_sent(
    call: Call,
    sandbox: Handle,
    tmp_path: Path,
    params: dict[str, Any],
    says: str,
) -> None:
    file = tmp_path / "odd.jsonl"
    write(file, line(1, params=line(1)["params"] | params))
    done = sent(call, file, "batch")
    assert done.returncode == 1
    assert "line 1" in done.stderr
    assert says in done.stderr
    assert posts(sandbox, "/v1/messages/batches") == 0


def test_a_recorded_decision_does_not_make_a_home_real(call: Call, file: Path, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text("one_off = true\n")
    assert call("route", str(tmp_path / "w.toml"), "--record").returncode == 0
    assert run_json(call, file, "sync")["succeeded"] == 40


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_is_no_file_of_requests(call: Call, path: str) -> None:
    done = call("run", path, "--workload", "reviews", "--yes")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)


def test_only_a_newline_ends_a_line_of_results() -> None:
    whole = '{"text":"a\u2028b\u0085c\x1cd"}\n{"text":"e"}\n'.encode()
    for size in (1, 3, 1_000):
        chunks = (whole[start : start + size] for start in range(0, len(whole), size))
        assert b"\n".join(_lines(chunks)) + b"\n" == whole
