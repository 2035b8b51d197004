"""`halfprice import jsonl`: recorded answers become ledger rows once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lines import halfprice, usage


def answer(number: int, **fields: Any) -> dict[str, Any]:
    """What the Messages API sends back, with the time that a user's log adds."""
    return {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "SECRET ANSWER"}],
        "stop_reason": "end_turn",
        "usage": usage(),
        "at": "2026-11-10T10:00:00Z",
        **fields,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def write(file: Path, *lines: object) -> None:
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


def imported(home: Path, file: Path, *words: str) -> dict[str, Any]:
    done = halfprice(home, "import", "jsonl", str(file), "--json", *words)
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if found["rejected"] else 0)
    return found


def spent(home: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(halfprice(home, "spend", "--month", "2026-11", "--json", *words).stdout)
    return found


def test_answers_are_added_once_however_often_they_are_imported(home: Path, file: Path) -> None:
    write(file, *(answer(number) for number in range(50)))
    assert imported(home, file) == {"read": 50, "added": 50, "duplicates": 0, "rejected": []}
    assert imported(home, file) == {"read": 50, "added": 0, "duplicates": 50, "rejected": []}
    assert (spent(home)["requests"], spent(home)["total_usd"]) == (50, "0.2")


def test_only_what_is_new_is_added_from_a_file_that_grew(home: Path, file: Path) -> None:
    write(file, answer(1))
    imported(home, file)
    write(file, answer(1), answer(2))
    assert imported(home, file) == {"read": 2, "added": 1, "duplicates": 1, "rejected": []}


def test_bare_usages_have_no_id_and_still_count_once(home: Path, file: Path) -> None:
    bare = {"model": "claude-sonnet-5-5", "usage": usage(), "at": "2026-11-10T10:00:00Z"}
    write(file, bare, bare, {**bare, "workload": "other"})
    assert imported(home, file)["added"] == 3
    assert imported(home, file)["duplicates"] == 3
    assert spent(home)["requests"] == 3


def test_batch_results_pay_half_and_failed_items_nothing(home: Path, file: Path) -> None:
    message = {key: value for key, value in answer(7).items() if key != "at"}
    common = {"at": "2026-11-10T10:00:00Z", "batch_id": "msgbatch_1"}
    failure = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    write(
        file,
        {**common, "custom_id": "a", "result": {"type": "succeeded", "message": message}},
        {**common, "custom_id": "b", "result": {"type": "errored", "error": failure}},
        {**common, "custom_id": "c", "result": {"type": "expired"}},
    )
    assert imported(home, file)["added"] == 3
    found = spent(home, "--by", "route")
    assert (found["requests"], found["total_usd"], found["rows"][0]["key"]) == (3, "0.002", "batch")


def test_answers_without_a_time_are_dated_now_and_that_is_said(home: Path, file: Path) -> None:
    untimed = {key: value for key, value in answer(1).items() if key != "at"}
    write(file, untimed)
    done = halfprice(home, "import", "jsonl", str(file))
    assert "carries no time and was dated" in done.stderr
    assert "--at" in done.stderr
    assert imported(home, file)["duplicates"] == 1


def test_a_time_can_be_given_for_answers_without_one(home: Path, file: Path) -> None:
    write(file, {key: value for key, value in answer(1).items() if key != "at"})
    done = halfprice(home, "import", "jsonl", str(file), "--at", "2026-11-05T00:00:00Z", "--workload", "logs")
    assert done.stderr == ""
    assert spent(home, "--by", "day")["rows"][0]["key"] == "2026-11-05"
    assert spent(home, "--by", "workload")["rows"][0]["key"] == "logs"


def test_every_rejected_line_is_named_and_the_rest_is_added(home: Path, file: Path) -> None:
    bad = [
        "{",
        "[]",
        json.dumps(answer(1, usage=usage(-1))),
        json.dumps(answer(2, usage={"input_tokens": "1", "output_tokens": 1})),
        json.dumps(answer(3, model=None)),
        json.dumps(answer(4, at="2099-01-01T00:00:00Z")),
        json.dumps(answer(5, at="1970-01-01T00:00:00Z")),
        json.dumps(answer(6, at="2026-11-10T10:00:00")),
        '{"model": "m", "usage": {"input_tokens": NaN, "output_tokens": 1}}',
    ]
    write(file, *bad, answer(100))
    found = imported(home, file)
    assert (found["read"], found["added"]) == (10, 1)
    assert [line["line"] for line in found["rejected"]] == list(range(1, 10))
    assert {line["file"] for line in found["rejected"]} == {str(file)}
    assert all(line["reason"] for line in found["rejected"])


def test_an_unknown_model_is_added_and_counted_as_unpriced(home: Path, file: Path) -> None:
    write(file, answer(1, model="claude-unheard-of"))
    assert imported(home, file)["added"] == 1
    assert (spent(home)["unpriced_requests"], spent(home)["rows"][0]["cost_usd"]) == (1, None)


def test_neither_prompts_nor_answers_are_kept(home: Path, file: Path) -> None:
    write(file, answer(1), answer(2, usage=usage(-1)))
    imported(home, file)
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"SECRET" not in kept


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["import", "jsonl", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["import", "jsonl", "."], "cannot be read"),
        (["import", "fax", "x"], "invalid choice"),
        (["import", "jsonl", "x", "--at", "noon"], "--at noon is not a time"),
        (["import", "jsonl", "x", "--at", "0001-01-01T00:00+14:00"], "is not a time"),
    ],
)
def test_a_wrong_call_is_exit_2_with_a_sentence(home: Path, words: list[str], says: str) -> None:
    done = halfprice(home, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "ledger.duckdb").exists()


@pytest.mark.parametrize("rest", ['"x": 1e999', '"x": "\\ud800"', '"x": "' + "y" * 1_100_000 + '"'])
def test_a_usage_that_no_journal_can_hold_is_rejected(home: Path, file: Path, rest: str) -> None:
    usage_text = '{"input_tokens": 1, "output_tokens": 1, ' + rest + "}"
    line = '{"id": "msg_1", "model": "claude-sonnet-5-5", "usage": ' + usage_text + ', "at": "2026-11-10T10:00:00Z"}'
    write(file, line, answer(2))
    found = imported(home, file)
    assert (found["read"], found["added"], [row["line"] for row in found["rejected"]]) == (2, 1, [1])


def test_another_date_for_the_same_answers_does_not_add_them_again(home: Path, file: Path) -> None:
    untimed = {key: value for key, value in answer(1).items() if key != "at"}
    bare = {"model": "claude-sonnet-5-5", "usage": usage()}
    write(file, untimed, bare, answer(3, at="2026-08-01T00:00:00Z"))
    assert imported(home, file, "--at", "2026-08-01T00:00:00Z")["added"] == 3
    write(file, untimed, bare, answer(3, at="2026-11-01T00:00:00Z"))
    assert imported(home, file, "--at", "2026-11-01T00:00:00Z")["duplicates"] == 3


def test_answers_without_an_id_of_the_api_are_kept_apart(home: Path, file: Path) -> None:
    write(file, answer(1, id=""), answer(2, id="", workload="other"))
    done = halfprice(home, "import", "jsonl", str(file), "--json")
    assert json.loads(done.stdout)["added"] == 2
    assert "2 lines have no id of the API's" in done.stderr


def test_a_sandbox_home_takes_no_real_requests(home: Path, file: Path) -> None:
    (home / "kind").write_text("sandbox\n")
    write(file, answer(1))
    done = halfprice(home, "import", "jsonl", str(file))
    assert done.returncode == 1
    assert "HALFPRICE_HOME" in done.stderr
    assert not (home / "journal").exists()


def test_an_empty_file_adds_nothing(home: Path, file: Path) -> None:
    write(file)
    assert imported(home, file) == {"read": 0, "added": 0, "duplicates": 0, "rejected": []}
    assert "nothing" in halfprice(home, "import", "jsonl", str(file)).stdout.lower()


def test_the_same_costs_come_from_import_and_from_price(home: Path, file: Path) -> None:
    lines = [
        answer(1, usage=usage(100, 5, cache_creation_input_tokens=70)),
        answer(2, usage=usage(120_000, 9), model="claude-haiku-5-5"),
        answer(3, usage=usage(5, 7, inference_geo="us", server_tool_use={"web_search_requests": 3})),
        answer(4, usage=usage(5, 7, speed="fast"), model="claude-opus-5-5"),
        answer(5, usage=usage(500, 0), stop_reason="refusal", stop_details={"type": "refusal", "category": "bio"}),
        answer(6, usage=usage(500, 0), stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"}),
    ]
    write(file, *(dict(line, workload=f"w{n}") for n, line in enumerate(lines)))
    imported(home, file)
    priced = [json.loads(row)["cost_usd"] for row in halfprice(home, "price", str(file)).stdout.splitlines()]
    by_workload = {row["key"]: row["cost_usd"] for row in spent(home, "--by", "workload")["rows"]}
    assert [by_workload[f"w{n}"] for n in range(len(lines))] == priced
