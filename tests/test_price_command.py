"""`halfprice price`, run as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from core.responses import BadResponse, Response, json_texts, parse_line, read_response

HALFPRICE = Path(sys.executable).with_name("halfprice")
KEYS = ["model", "status", "cost_usd", "estimated", "reason"]
USAGE = {"input_tokens": 1_000, "output_tokens": 500}
LINE: dict[str, Any] = {"model": "claude-sonnet-4-6", "usage": USAGE}  # 1,000 × 3 + 500 × 15 = 10,500
MESSAGE: dict[str, Any] = {
    "id": "msg_01", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "…"}],
    "stop_reason": "end_turn", "stop_details": None, **LINE,
}  # fmt: skip
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def price(text: str | bytes, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the documents for what stands on standard input."""
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run([HALFPRICE, "price", *words], input=data, capture_output=True, check=False)
    assert done.stderr == b""
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(row) == KEYS for row in rows)
    return done.returncode, rows


def lines(*blocks: object) -> str:
    return "".join(json.dumps(block) + "\n" for block in blocks)


def test_a_response_a_bare_usage_and_a_batch_result_are_priced() -> None:
    result = {"type": "succeeded", "message": MESSAGE | {"usage": USAGE | {"service_tier": "batch"}}}
    code, rows = price(lines(MESSAGE, LINE, {"custom_id": "a", "result": result}))
    assert code == 0
    assert [row["cost_usd"] for row in rows] == ["0.0105", "0.0105", "0.00525"]
    assert rows[0] == {
        "model": "claude-sonnet-4-6",
        "status": "priced",
        "cost_usd": "0.0105",
        "estimated": False,
        "reason": "List price of claude-sonnet-4-6 from 2026-03-13.",
    }


def test_the_time_of_a_line_decides_its_price() -> None:
    read = {
        "model": "claude-sonnet-5-5",
        "usage": {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 1_000},
    }
    _, rows = price(lines(read | {"at": "2026-10-06T23:59:59Z"}, read | {"at": "2026-10-07T01:00:00+02:00"}, read))
    assert [row["cost_usd"] for row in rows] == ["0.0002", "0.0002", "0.0001"]


@pytest.mark.parametrize("status", ["errored", "canceled", "expired"])
def test_batch_items_without_an_answer_cost_nothing(status: str) -> None:
    code, [row] = price(lines({"custom_id": "a", "result": {"type": status}}), "--json")
    assert (code, row["status"], row["cost_usd"], row["model"]) == (0, "priced", "0", None)
    assert row["reason"].startswith("Not billed: ")


def test_an_unpriced_model_is_no_failure_and_has_no_cost() -> None:
    code, [row] = price(lines(LINE | {"model": "gpt-5"}))
    assert (code, row["status"], row["cost_usd"]) == (0, "unpriced", None)


def test_a_refusal_is_priced_by_its_category() -> None:
    refusal = {
        "model": "claude-opus-5-5",
        "usage": {"input_tokens": 1_000, "output_tokens": 0},
        "stop_reason": "refusal",
    }
    given = [refusal | {"stop_details": {"type": "refusal", "category": name}} for name in (None, "cyber", "bio")]
    _, rows = price(lines(refusal, *given))
    assert [(row["cost_usd"], row["estimated"]) for row in rows] == [
        ("0", True), ("0", False), ("0", False), ("0.004", False),
    ]  # fmt: skip


REJECTED: list[tuple[str | bytes, str]] = [
    ("nonsense", "not JSON: Expecting value at character 1."),
    ('{"model": "claude-opus-5-5", "usage": {', "not JSON: "),
    ("[1]", "the line is [1], not an object."),
    ("5", "the line is 5, not an object."),
    ("null", "the line is missing."),
    ('"text"', "the line is 'text', not an object."),
    (lines(LINE)[:-2] + ', "model": "claude-opus-5-5"}', "the key 'model' appears twice in one object."),
    ('{"model": "m", "usage": {"input_tokens": NaN, "output_tokens": 1}}', "NaN is not a JSON number."),
    ('{"model": "m", "usage": {"input_tokens": -Infinity, "output_tokens": 1}}', "-Infinity is not a JSON number."),
    ('{"model": "m", "usage": {"input_tokens": 1e999, "output_tokens": 1}}', "usage.input_tokens is inf, not a whole"),
    (
        '{"model": "m", "usage": {"input_tokens": ' + "9" * 5_000 + ', "output_tokens": 1}}',
        "a number in it is far too long.",
    ),
    ('{"model": "m", "usage": {"input_tokens": 1.5, "output_tokens": 1}}', "usage.input_tokens is 1.5, not a whole"),
    (b'{"model": "\xff"}', "byte 12 is not UTF-8."),
    (b'{"model": "a\x00b"}', "not JSON: Invalid control character"),
    (lines(LINE).encode("utf-16"), "byte 1 is not UTF-8."),
    ("[" * 100_000, "it is nested too deeply."),
    (r'{"model": "\ud800", "usage": {}}', r"model is '\ud800', not text."),
    (r'{"model": "a\u0000b", "usage": {}}', r"model is 'a\x00b', not text."),
    ("{}", "model is missing."),
    ('{"model": ""}', "model is missing."),
    ('{"model": 5}', "model is 5, not text."),
    ('{"model": "m"}', "usage is missing."),
    ('{"model": "m", "usage": null}', "usage is missing."),
    ('{"model": "m", "usage": 5}', "usage is 5, not an object."),
    ('{"model": "m", "usage": {}}', "usage.input_tokens is missing."),
    (
        lines(LINE | {"at": "2026-11-01T00:00:00"}),
        "at is '2026-11-01T00:00:00', not an ISO 8601 time with Z or an offset",
    ),
    (lines(LINE | {"at": "yesterday"}), "at is 'yesterday', not an ISO 8601 time"),
    (lines(LINE | {"at": "9999-12-31T23:59:59-10:00"}), "not an ISO 8601 time"),
    (lines(LINE | {"at": 1_790_000_000}), "at is 1790000000, not text."),
    (lines({"result": {"type": "lost"}}), "result.type is 'lost', not succeeded, errored, canceled or expired."),
    (lines({"result": {"type": ["errored"]}}), "result.type is ['errored'], not succeeded"),
    (lines({"result": {"type": "succeeded"}}), "result.message is missing."),
    (lines({"result": []}), "result is [], not an object."),
    (lines(LINE | {"stop_details": "bio"}), "stop_details is 'bio', not an object."),
    (lines(LINE | {"workload": 7}), "workload is 7, not text."),
]


def test_what_cannot_be_read_is_rejected_with_its_line_and_the_rest_goes_on() -> None:
    good = lines(LINE).encode()
    text = b"".join(
        (bad if isinstance(bad, bytes) else bad.encode()).rstrip(b"\n") + b"\n" + good for bad, _ in REJECTED
    )
    text = text.replace(
        lines(LINE).encode("utf-16").rstrip(b"\n") + b"\n", lines(LINE).encode("utf-16").replace(b"\n", b"") + b"\n"
    )
    code, rows = price(text)
    assert code == 1
    assert len(rows) == 2 * len(REJECTED)
    assert all(row["status"] == "priced" for row in rows[1::2])
    for number, (row, (_, reason)) in enumerate(zip(rows[::2], REJECTED, strict=True)):
        assert (row["status"], row["cost_usd"]) == ("rejected", None)
        assert row["reason"].startswith(f"<stdin>, line {2 * number + 1}: ")
        assert reason in row["reason"]
        assert len(row["reason"]) < 300


def test_a_rejected_line_keeps_its_model_where_it_was_read() -> None:
    _, [row] = price(lines({"model": "claude-opus-5-5", "usage": {}}))
    assert (row["status"], row["model"]) == ("rejected", "claude-opus-5-5")


def test_a_file_is_named_in_what_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n" + lines(LINE) + "\n  \n[]\n", encoding="utf-8")
    code, rows = price("", str(path))
    assert (code, rows[0]["cost_usd"]) == (1, "0.0105")
    assert rows[1]["reason"] == f"{path}, line 5: the line is [], not an object."


def test_an_empty_input_has_no_documents() -> None:
    assert price("") == price("\n \n", "-") == (0, [])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", [1, 2, "\t"])
def test_indented_objects_are_read_whole(indent: int | str, newline: str) -> None:
    text = json.dumps(MESSAGE, indent=indent).replace("\n", newline)
    code, rows = price("\ufeff" + text + newline * 2 + lines(LINE) + text)
    assert (code, [row["cost_usd"] for row in rows]) == (0, ["0.0105"] * 3)


def test_an_indented_object_that_breaks_off_does_not_swallow_the_next_line() -> None:
    code, rows = price('\n{\n  "model": "claude-opus-5-5",\n' + lines(LINE) + "{\n")
    assert code == 1
    assert [row["status"] for row in rows] == ["rejected", "priced", "rejected"]
    assert [row["reason"].split(":")[0] for row in rows[::2]] == ["<stdin>, line 2", "<stdin>, line 5"]


def test_a_line_of_50_mb_is_priced_and_one_of_over_100_mb_rejected() -> None:
    long = json.dumps(LINE | {"content": "x" * 50_000_000})
    too_long = json.dumps(LINE | {"content": "x" * 100_000_000})
    code, rows = price(f"{long}\n{too_long}\n{lines(LINE)}")
    assert (code, [row["status"] for row in rows]) == (1, ["priced", "rejected", "priced"])
    assert rows[1]["reason"] == "<stdin>, line 2: it is longer than 100,000,000 bytes."


@pytest.mark.parametrize(("name", "why"), [("nowhere.jsonl", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened_is_wrong_usage(tmp_path: Path, name: str, why: str) -> None:
    done = subprocess.run([HALFPRICE, "price", tmp_path / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"halfprice: {tmp_path / name} cannot be read: {why}.\n"


def test_every_line_is_answered_before_the_next_one_is_sent() -> None:
    with subprocess.Popen([HALFPRICE, "price"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write(lines(LINE))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["cost_usd"] == "0.0105"
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    with subprocess.Popen(
        [HALFPRICE, "price"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, errors = process.communicate(lines(*[LINE] * 10).encode())
    assert (process.returncode, errors) == (1, b"")


def test_pricing_imports_none_of_the_heavy_packages() -> None:
    heavy = ["anthropic", "duckdb", "numpy", "pandas", "plotly", "pyarrow", "streamlit"]
    program = (
        "import sys; from core.cli import main; main(['price']); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"", capture_output=True, check=True)
    assert done.stdout == b"[]\n"


# What a line says about its request, which the import shares


def test_everything_a_line_says_is_kept() -> None:
    line = MESSAGE | {
        "at": "2026-11-01T10:00:00+01:00", "workload": "reviews", "batch_id": "msgbatch_1", "custom_id": "c-1",
        "stop_reason": "refusal", "stop_details": {"category": "bio"}, "_request_id": "req_1",
    }  # fmt: skip
    assert read_response(line, default_at=NOW) == Response(
        model="claude-sonnet-4-6",
        usage=USAGE,
        at=datetime(2026, 11, 1, 9, tzinfo=UTC),
        time_assumed=False,
        status="succeeded",
        stop_reason="refusal",
        refusal_category="bio",
        message_id="msg_01",
        custom_id="c-1",
        batch_id="msgbatch_1",
        api_request_id="req_1",
        workload="reviews",
    )


def test_a_time_that_is_not_said_is_assumed_and_marked() -> None:
    response = read_response(LINE, default_at=NOW)
    assert (response.at, response.time_assumed) == (NOW, True)
    assert read_response(LINE | {"at": None}, default_at=NOW) == response


def test_times_become_utc() -> None:
    response = read_response(LINE | {"at": "2026-11-01T10:00:00-05:00"}, default_at=NOW)
    assert response.at == datetime(2026, 11, 1, 10, tzinfo=timezone(timedelta(hours=-5)))
    assert response.at.tzinfo is UTC


def test_a_batch_result_belongs_to_a_batch_even_if_its_usage_does_not_say_so() -> None:
    response = read_response({"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}}, default_at=NOW)
    assert response.usage == USAGE | {"service_tier": "batch"}
    assert (response.custom_id, response.message_id, response.stop_reason) == ("a", "msg_01", "end_turn")


ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "…"}, "request_id": "req_2"}


@pytest.mark.parametrize("line", [ERROR, {"custom_id": "a", "result": {"type": "errored", "error": ERROR}}])
def test_a_failed_request_keeps_its_error(line: dict[str, Any]) -> None:
    response = read_response(line, default_at=NOW)
    assert (response.status, response.error_type, response.api_request_id) == (
        "errored",
        "invalid_request_error",
        "req_2",
    )
    assert (response.model, response.usage) == (None, None)


def test_texts_come_with_the_number_of_their_first_line_and_without_a_byte_order_mark() -> None:
    stream = io.BytesIO(b'\xef\xbb\xbf{"a": 1}\r\n\n{\n  "b": 2\n}\n{"c": 3}')
    assert list(json_texts(stream)) == [(1, b'{"a": 1}\r\n'), (3, b'{\n  "b": 2\n}\n'), (6, b'{"c": 3}')]


def test_a_line_may_have_keys_of_its_own() -> None:
    response = read_response(LINE | {"id": 7, "request_id": ["x"], "result": "fine", "note": {}}, default_at=NOW)
    assert (response.model, response.usage, response.message_id, response.api_request_id) == (
        *LINE.values(),
        None,
        None,
    )


def test_a_nested_duplicate_key_is_refused() -> None:
    with pytest.raises(BadResponse, match="'input_tokens' appears twice"):
        parse_line(b'{"usage": {"input_tokens": 1, "input_tokens": 2}}')
