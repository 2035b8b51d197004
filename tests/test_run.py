"""`halfprice run` and `halfprice batch`: the real SDK over HTTP against the sandbox, real processes, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.money import plain_usd
from core.sandbox import Handle
from tests.sending import HAIKU, Call, answers, line, posts, run_json, spent, write


def test_a_batch_is_sent_collected_and_billed_to_the_last_digit(call: Call, sandbox: Handle, file: Path) -> None:
    sent = run_json(call, file, "batch")
    assert (sent["route"], sent["requests"], len(sent["batch_ids"])) == ("batch", 40, 1)
    assert json.loads(call("batch", "collect", "--json").stdout)[0]["status"] == "in_progress"
    assert spent(call)["total_usd"] == "0"
    sandbox.advance(3_600)
    [row] = json.loads(call("batch", "collect", "--json").stdout)
    bill = sandbox.bill()["total_usd"]
    assert (row["status"], row["succeeded"], row["cost_usd"], row["saved_usd"]) == ("ended", 40, bill, bill)
    assert (spent(call)["total_usd"], spent(call)["requests"]) == (bill, 40)
    assert {answer["custom_id"] for answer in answers(row["results_path"])} == {f"r-{n}" for n in range(40)}
    assert Path(row["results_path"]).stat().st_mode & 0o777 == 0o600


def test_the_same_file_costs_exactly_twice_synchronously(call: Call, sandbox: Handle, file: Path) -> None:
    run_json(call, file, "batch")
    sandbox.advance(3_600)
    call("batch", "collect")
    half = sandbox.bill()["total_usd"]
    sent = run_json(call, file, "sync", "--again")
    assert (sent["succeeded"], sent["errored"]) == (40, 0)
    rows = {row["key"]: row["cost_usd"] for row in spent(call, "--by", "route")["rows"]}
    assert rows == {"batch": half, "sync": sent["cost_usd"]}
    assert float(rows["sync"]) == 2 * float(half)
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_answers_of_both_routes_have_one_shape(call: Call, sandbox: Handle, file: Path) -> None:
    run_json(call, file, "batch")
    sandbox.advance(3_600)
    [row] = json.loads(call("batch", "collect", "--json").stdout)
    alone = answers(run_json(call, file, "sync", "--again")["results_path"])
    assert [answer["custom_id"] for answer in alone] == [f"r-{n}" for n in range(40)]

    def text(found: list[dict[str, Any]]) -> dict[str, Any]:
        return {answer["custom_id"]: answer["result"]["message"]["content"] for answer in found}

    assert text(alone) == text(answers(row["results_path"]))


def test_answers_can_go_to_a_file_of_ones_own(call: Call, file: Path, tmp_path: Path) -> None:
    sent = run_json(call, file, "sync", "--out", str(tmp_path / "mine.jsonl"))
    assert sent["results_path"] == str(tmp_path / "mine.jsonl")
    assert len(answers(sent["results_path"])) == 40


def test_collecting_again_changes_nothing(call: Call, sandbox: Handle, file: Path, home: Path) -> None:
    run_json(call, file, "batch")
    sandbox.advance(3_600)
    call("batch", "collect")
    before = spent(call)
    call("batch", "collect")
    state = next((home / "submissions").glob("*/state.json"))
    state.write_text(state.read_text().replace('"finished"', '"sent"'))
    call("batch", "watch")
    (home / "ledger.duckdb").unlink()
    assert spent(call) == before


def test_the_same_requests_are_not_sent_twice_in_a_day(call: Call, sandbox: Handle, file: Path) -> None:
    first = run_json(call, file, "batch")
    refused = call("run", str(file), "--workload", "reviews", "--route", "batch", "--yes")
    assert refused.returncode == 1
    assert first["batch_ids"][0] in refused.stderr
    assert "--again" in refused.stderr
    assert posts(sandbox, "/v1/messages/batches") == 1
    again = run_json(call, file, "batch", "--again")
    assert again["batch_ids"] != first["batch_ids"]


def test_a_batch_whose_answer_was_lost_is_found_and_not_sent_again(call: Call, sandbox: Handle, file: Path) -> None:
    sandbox.script({"method": "POST", "path": "/v1/messages/batches", "kind": "close", "when": "after_accept"})
    sent = run_json(call, file, "batch")
    assert len(sent["batch_ids"]) == 1
    assert posts(sandbox, "/v1/messages/batches") == 1


def test_a_batch_that_was_not_taken_is_said_to_be_uncertain_and_never_sent_blindly(
    call: Call, sandbox: Handle, file: Path
) -> None:
    sandbox.script({"method": "POST", "path": "/v1/messages/batches", "status": 529, "error_type": "overloaded_error"})
    for _ in range(2):
        done = call("run", str(file), "--workload", "reviews", "--route", "batch", "--yes")
        assert done.returncode == 1
        assert "did not say whether it took the batch" in done.stderr
    assert posts(sandbox, "/v1/messages/batches") == 1
    assert len(run_json(call, file, "batch", "--again")["batch_ids"]) == 1


def test_results_that_break_off_are_fetched_again(call: Call, sandbox: Handle, file: Path) -> None:
    run_json(call, file, "batch")
    sandbox.advance(3_600)
    sandbox.script({"method": "GET", "path": "^.*/results$", "kind": "truncate", "bytes": 5_000})
    broken = call("batch", "collect")
    assert broken.returncode == 1
    assert "results" in broken.stderr
    assert spent(call)["requests"] == 0
    assert call("batch", "collect").returncode == 0
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_retries_are_one_request_and_failures_cost_nothing(call: Call, sandbox: Handle, file: Path) -> None:
    sandbox.script(
        {"method": "POST", "path": "/v1/messages", "times": 2, "status": 529, "error_type": "overloaded_error"}
    )
    assert run_json(call, file, "sync")["succeeded"] == 40
    assert posts(sandbox, "/v1/messages") == 42
    assert (spent(call)["requests"], spent(call)["total_usd"]) == (40, sandbox.bill()["total_usd"])


def test_an_item_that_fails_is_told_and_the_others_succeed(call: Call, sandbox: Handle, tmp_path: Path) -> None:
    bad = line(1)
    bad["params"]["messages"][0]["content"] += " [sandbox:invalid]"
    file = tmp_path / "mixed.jsonl"
    write(file, line(0), bad, line(2))
    done = call("run", str(file), "--workload", "reviews", "--route", "sync", "--yes", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["succeeded"], found["errored"]) == (1, 2, 1)
    assert [answer["result"]["type"] for answer in answers(found["results_path"])] == [
        "succeeded", "errored", "succeeded",
    ]  # fmt: skip
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_an_empty_balance_stops_the_run_and_it_goes_on_later(call: Call, sandbox: Handle, file: Path) -> None:
    empty = {"status": 400, "error_type": "invalid_request_error", "message": "Your credit balance is too low"}
    sandbox.script({"method": "POST", "path": "/v1/messages", "times": 8, **empty})
    stopped = call("run", str(file), "--workload", "reviews", "--route", "sync", "--yes")
    assert stopped.returncode == 1
    assert "credit balance" in stopped.stderr
    assert run_json(call, file, "sync")["succeeded"] == 40
    assert spent(call)["total_usd"] == sandbox.bill()["total_usd"]


def test_a_killed_synchronous_run_goes_on_where_it_was(home: Path, sandbox: Handle, call: Call, file: Path) -> None:
    write(file, *(line(number) for number in range(300)))
    environment = {
        **os.environ, "HALFPRICE_HOME": str(home), "ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": "sandbox",
    }  # fmt: skip
    words: list[str | Path] = [
        Path(sys.executable).with_name("halfprice"),
        "run",
        file,
        "--workload",
        "reviews",
        "--route",
        "sync",
        "--yes",
    ]
    started = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    while posts(sandbox, "/v1/messages") < 60:
        assert started.poll() is None
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    sent = run_json(call, file, "sync")
    assert sent["succeeded"] == 300
    assert len({answer["custom_id"] for answer in answers(sent["results_path"])}) == 300
    assert spent(call)["requests"] == 300
    assert posts(sandbox, "/v1/messages") <= 300 + 2 * 8  # what was in flight has no answer and is asked again


def test_killed_collectors_change_nothing_in_the_total(home: Path, sandbox: Handle, call: Call, file: Path) -> None:
    write(file, *(line(number) for number in range(2_000)))
    run_json(call, file, "batch")
    sandbox.advance(3_600)
    environment = {
        **os.environ, "HALFPRICE_HOME": str(home), "ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": "sandbox",
    }  # fmt: skip
    program = (
        "import os, signal, sys, threading; from core.cli import main\n"
        "threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "import core.batches\n"
        "main(['batch', 'collect'])"
    )
    for tenths in range(6, 18, 2):
        words = [sys.executable, "-c", program, str(tenths / 10)]
        subprocess.run(words, env=environment, capture_output=True, check=False)
    assert call("batch", "watch").returncode == 0
    assert (spent(call)["requests"], spent(call)["total_usd"]) == (2_000, sandbox.bill()["total_usd"])


def test_only_one_collector_works_for_a_home(home: Path, call: Call, file: Path) -> None:
    from core.batches import collecting

    run_json(call, file, "batch")
    with collecting(home) as mine:
        assert mine
        done = call("batch", "collect")
        assert json.loads(call("batch", "list", "--json").stdout)[0]["status"] == "in_progress"
    assert done.returncode == 0
    assert "another process" in done.stderr


def test_every_problem_is_named_at_once_and_nothing_is_sent(call: Call, sandbox: Handle, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    write(
        file,
        line(1),
        "{broken",
        line(1),
        line(2, custom_id="no spaces allowed"),
        {"custom_id": "x", "params": {"model": HAIKU, "max_tokens": 0, "messages": []}},
        line(3, params={**line(3)["params"], "model": "claude-unheard-of"}),
        line(4, params={**line(4)["params"], "stream": True}),
        line(5, extra=1),
        [1, 2],
    )
    done = call("run", str(file), "--workload", "reviews", "--route", "batch", "--yes")
    assert done.returncode == 1
    for number, says in [
        (2, "not JSON"), (3, "that of line 1"), (4, "custom_id"), (5, "max_tokens"), (5, "messages"),
        (6, "claude-unheard-of"), (7, "stream"), (8, "extra"), (9, "object"),
    ]:  # fmt: skip
        assert any(f"{file}, line {number}:" in text and says in text for text in done.stderr.splitlines()), (
            number,
            says,
        )
    assert "Nothing was sent." in done.stderr
    assert posts(sandbox, "/v1/messages/batches") == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no requests"),
        (b"\n\n", "holds no requests"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "UTF-8"),
        (b"a,b\n1,2\n", "not JSON"),
    ],
)
def test_a_file_of_another_kind_is_named(call: Call, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    done = call("run", str(file), "--workload", "reviews", "--yes")
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ANTHROPIC_API_KEY": ""}, "no API key was found"),
        ({"ANTHROPIC_API_KEY": "refused"}, "refused the key"),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, "no answer from the API"),
    ],
)
def test_an_api_that_cannot_be_used_is_said_before_anything_is_sent(
    call: Call, sandbox: Handle, file: Path, environment: dict[str, str], says: str
) -> None:
    done = call("run", str(file), "--workload", "reviews", "--route", "sync", "--yes", **environment)
    assert done.returncode == 1
    assert says in done.stderr
    assert posts(sandbox, "/v1/messages") == 0


def test_nothing_is_sent_without_a_yes(call: Call, sandbox: Handle, file: Path) -> None:
    done = call("run", str(file), "--workload", "reviews", "--route", "batch")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert posts(sandbox, "/v1/messages/batches") == 0


def test_a_home_is_for_the_sandbox_or_for_real_requests(call: Call, file: Path, home: Path) -> None:
    run_json(call, file, "sync")
    assert (home / "kind").read_text() == "sandbox\n"
    (home / "kind").write_text("real\n")
    done = call("run", str(file), "--workload", "reviews", "--route", "sync", "--yes", "--again")
    assert done.returncode == 1
    assert "HALFPRICE_HOME" in done.stderr


def test_auto_follows_the_checklist_and_undecided_goes_synchronously(call: Call, file: Path, home: Path) -> None:
    undecided = call("run", str(file), "--workload", "reviews", "--yes", "--json")
    found = json.loads(undecided.stdout)
    assert found["route"] == "sync"
    assert f"would have cost ${plain_usd(Decimal(found['cost_usd']) / 2)}" in undecided.stderr
    saved = home / "workloads" / "nightly.toml"
    saved.parent.mkdir()
    saved.write_text(
        "person_waits = false\nstreams_to_ui = false\none_off = false\nchained = false\n"
        "deadline_hours = 24\nretry_safe = true\nzero_retention = false\n"
    )
    done = call("run", str(file), "--workload", "nightly", "--yes", "--json")
    assert json.loads(done.stdout)["route"] == "batch"


def test_batches_can_be_listed_and_shown(call: Call, file: Path) -> None:
    assert "No batches yet" in call("batch", "list").stdout
    batch_id = run_json(call, file, "batch")["batch_ids"][0]
    assert batch_id in call("batch", "list").stdout
    assert json.loads(call("batch", "show", batch_id, "--json").stdout)["requests"] == 40
    unknown = call("batch", "show", "msgbatch_none")
    assert (unknown.returncode, "knows no batch" in unknown.stderr) == (1, True)


def test_prompts_and_answers_are_only_in_submissions_and_results(call: Call, file: Path, home: Path) -> None:
    marked = line(7)
    marked["params"]["messages"][0]["content"] = "SECRET-PROMPT please classify"
    write(file, marked)
    run_json(call, file, "sync")
    with_prompt = {
        path.relative_to(home).parts[0]
        for path in home.rglob("*")
        if path.is_file() and b"SECRET-PROMPT" in path.read_bytes()
    }
    assert with_prompt <= {"submissions", "results"}
    assert "journal" not in with_prompt
