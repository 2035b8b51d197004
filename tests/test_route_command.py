"""`halfprice route`, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.ledger import Ledger
from core.workloads import KEYS, examples
from tests.lines import halfprice

WORKLOAD: dict[str, Any] = {
    "name": "reviews",
    "model": "claude-sonnet-5-5",
    "person_waits": False,
    "streams_to_ui": False,
    "one_off": False,
    "chained": False,
    "deadline_hours": 24,
    "requests_per_run": 1_000,
    "runs_per_month": 30,
    "retry_safe": True,
    "zero_retention": False,
    "input_tokens": 500,
    "output_tokens": 300,
    "shared_prefix_tokens": 8_000,
}


def route(home: Path, *words: str, **answers: Any) -> dict[str, Any]:
    done = halfprice(home, "route", "--json", *words, stdin=json.dumps(WORKLOAD | answers))
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_document_has_the_promised_keys(home: Path) -> None:
    found = route(home)
    assert list(found) == ["route", "checks", "flips", "saving_usd_month"]
    assert (found["route"], found["saving_usd_month"]) == ("batch", "300")
    for check in found["checks"]:
        assert list(check) == ["id", "question", "answer", "passed", "why"]
        assert check["id"] in KEYS
        assert check["answer"] == WORKLOAD[check["id"]]
        assert check["passed"] is True
    assert all(isinstance(sentence, str) for sentence in found["flips"])


@pytest.mark.parametrize(
    ("answers", "expected", "saving"),
    [
        ({"person_waits": True}, "sync", None),
        ({"deadline_hours": 6}, "sync", "300"),
        ({"requests_per_run": 6}, "sync", "1.8"),
        ({"retry_safe": None}, "undecided", "300"),
        ({"retry_safe": None, "chained": True}, "sync", None),
        ({"output_tokens": None}, "batch", None),
        ({"runs_per_month": 0}, "batch", "0"),
    ],
)
def test_answers_decide_the_route(home: Path, answers: dict[str, Any], expected: str, saving: str | None) -> None:
    found = route(home, **answers)
    assert (found["route"], found["saving_usd_month"]) == (expected, saving)


def test_measured_hit_rates_can_turn_it_to_cached_sync(home: Path) -> None:
    found = route(home, "--sync-hit-rate", "0.98", "--batch-hit-rate", "0.3-0.5")
    assert found["route"] == "sync"
    assert found["checks"][-1]["id"] == "shared_prefix_tokens"
    assert "$155.52 a month at a hit rate of 98%" in found["checks"][-1]["why"]
    assert route(home, "--sync-hit-rate", "0.98", "--batch-hit-rate", "0.9")["route"] == "batch"


@pytest.mark.parametrize("option", ["--sync-hit-rate", "--batch-hit-rate"])
@pytest.mark.parametrize("value", ["98", "x", "0.1-0.2-0.3", "nan", ""])
def test_a_hit_rate_is_a_share(home: Path, option: str, value: str) -> None:
    done = halfprice(home, "route", option, value, stdin="{}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option} {value} is not a share from 0 to 1" in done.stderr


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_the_examples_can_be_routed_by_file(home: Path, example: Any) -> None:
    done = halfprice(home, "route", str(example.workload_file), "--json")
    assert json.loads(done.stdout)["route"] == "batch"


def test_text_says_the_route_the_reasons_and_the_amounts(home: Path) -> None:
    done = halfprice(home, "route", stdin=json.dumps(WORKLOAD | {"requests_per_run": 6}))
    assert done.stdout.startswith("reviews: sync\nSend it synchronously for now.")
    for part in (
        "  + Does a person wait for the result? no\n      Nobody waits for it.\n",
        "  - How many requests does a run send? 6\n",
        "  With 4 more requests a run (10 in all) it could go as a batch.\n",
        "  synchronous          $0.02 a request, $3.60 a month\n",
        "  batch                $0.01 a request, $1.80 a month\n",
    ):
        assert part in done.stdout


def test_text_says_what_is_missing(home: Path) -> None:
    done = halfprice(home, "route", stdin="{}")
    assert done.stdout.startswith("This workload: undecided\n8 open questions decide: a batch costs half")
    assert "No amounts: model, input_tokens and output_tokens are not given." in done.stdout
    assert "not answered" in done.stdout


@pytest.mark.parametrize(
    ("stdin", "code", "said"),
    [
        ("", 1, "<stdin> is empty"),
        ('{"chained": 1, "colour": 2}', 1, "chained must be true or false, not 1; 'colour' is no key of a workload"),
        ("name = ", 1, "<stdin> is not TOML"),
        (b"\xff", 1, "byte 1 is not UTF-8"),
    ],
)
def test_bad_input_is_one_sentence_on_stderr(home: Path, stdin: str | bytes, code: int, said: str) -> None:
    done = halfprice(home, "route", "-", "--json", stdin=stdin)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("halfprice: <stdin>")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_file_is_wrong_usage(home: Path) -> None:
    done = halfprice(home, "route", "nowhere.toml")
    assert (done.returncode, done.stderr) == (2, "halfprice: nowhere.toml cannot be read: No such file or directory.\n")


def recorded(home: Path) -> list[str]:
    """The journal's lines, after the ledger has taken every one of them."""
    lines = [line for file in (home / "journal").glob("*.jsonl") for line in file.read_text().splitlines()]
    ingested = Ledger(home).sync()
    assert (ingested.added, ingested.quarantined) == (len(lines), 0)
    return lines


def test_a_decision_is_recorded_only_when_asked(home: Path) -> None:
    route(home)
    assert recorded(home) == []
    route(home, "--record")
    decision = json.loads(recorded(home)[0])
    assert (decision["kind"], decision["workload"], decision["route"]) == ("decision", "reviews", "batch")
    assert decision["answers"] == WORKLOAD


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("")
    done = halfprice(home, "route", "--record", stdin="{}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"halfprice: {home} cannot be written: Not a directory. Nothing was recorded.\n"


def test_it_starts_without_the_heavy_libraries() -> None:
    heavy = "{'duckdb', 'anthropic', 'streamlit', 'pandas', 'numpy', 'pyarrow'}"
    program = f"import sys, core.cli.route, core.routing; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
