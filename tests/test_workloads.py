"""Reading a workload: every problem at once, in one sentence that names file and key."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import HalfpriceError, UsageError
from core.workloads import FLAGS, KEYS, LARGEST_FILE, BadWorkload, Workload, load_workload, read_workload

COUNTS = ("requests_per_run", "runs_per_month", "input_tokens", "output_tokens", "shared_prefix_tokens")

TOML = """
name = "reviews"  # a comment
model = "claude-haiku-4-5"
person_waits = false
deadline_hours = 36.5
requests_per_run = 1_000
"""


def problem(source: str | dict[str, Any]) -> str:
    with pytest.raises(BadWorkload) as caught:
        read_workload(source, "app.toml")
    message = str(caught.value)
    assert "\n" not in message.rstrip()
    assert message.startswith("app.toml")
    assert message.endswith((".", "200"))
    return message


def test_the_keys_are_the_documented_ones() -> None:
    assert " ".join(KEYS) == (
        "name model person_waits streams_to_ui one_off chained deadline_hours requests_per_run runs_per_month "
        "retry_safe zero_retention input_tokens output_tokens shared_prefix_tokens"
    )


def test_toml_json_and_a_mapping_say_the_same() -> None:
    from_toml = read_workload(TOML)
    fields: dict[str, Any] = {
        "name": "reviews",
        "model": "claude-haiku-4-5",
        "person_waits": False,
        "deadline_hours": 36.5,
        "requests_per_run": 1_000,
    }
    assert from_toml == read_workload(json.dumps(fields)) == read_workload(fields) == Workload(**fields)


@pytest.mark.parametrize("text", ["{}", " \n{}\n", "# nothing answered yet", '{"person_waits": null}'])
def test_what_is_left_out_is_unknown(text: str) -> None:
    assert read_workload(text) == Workload()


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("value", [True, -1, 2.5, 10.0, "10", float("nan"), 1_000_000_001, 10**400, [1], {}])
def test_a_count_is_a_whole_number_in_bounds(key: str, value: object) -> None:
    assert f"{key} must be a whole number from 0 to 1,000,000,000, not" in problem({key: value})


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("value", [0, 1, 1_000_000_000])
def test_counts_in_bounds_are_taken(key: str, value: int) -> None:
    assert getattr(read_workload({key: value}), key) == value


@pytest.mark.parametrize("value", [False, -0.5, float("nan"), float("inf"), "24", "24h", 10**400])
def test_a_deadline_is_a_number_of_hours(value: object) -> None:
    assert "deadline_hours must be a number of hours from 0 to 1,000,000, not" in problem({"deadline_hours": value})


@pytest.mark.parametrize("key", sorted(FLAGS))
@pytest.mark.parametrize("value", [0, 1, "yes", "true", [], 0.0])
def test_a_yes_or_no_is_true_or_false(key: str, value: object) -> None:
    assert f"{key} must be true or false, not" in problem({key: value})


@pytest.mark.parametrize("key", ["name", "model"])
@pytest.mark.parametrize("value", ["", 5, "a\nb", "a\0b", "\ud800", "x" * 201, "\x1b[31mred"])
def test_a_name_is_short_printable_text(key: str, value: object) -> None:
    assert f"{key} must be a name of 1 to 200 printable characters" in problem({key: value})


def test_all_problems_come_at_once() -> None:
    message = problem({"person_wait": True, "chained": "no", "requests_per_run": -4, "colour": 1, "retry_safe": True})
    assert (
        "'person_wait' is no key of a workload (did you mean person_waits?); chained must be true or false" in message
    )
    assert "requests_per_run must be a whole number from 0 to 1,000,000,000, not -4; 'colour' is no key" in message
    assert "retry_safe" not in message.split("there are", 1)[0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("chained = flase", "line 1"),
        ("name = 'a'\nname = 'b'", "line 2"),
        ("name = 'a'\n\nmodel = \n", "line 3"),
        ('{"chained": true,\n "one_off" true}', "app.toml, line 2"),
        ('{"chained": true', "app.toml, line 1"),
        ('{"custom_id": "a"}\n{"custom_id": "b"}', "line 2: a second document follows the first"),
        ('{"chained": true, "chained": false}', "the key 'chained' appears twice"),
        ("[1, 2]", "not TOML"),
        ("A,B\n1,2", "not TOML"),
        ("", "empty"),
        ("  \n\t", "empty"),
        ('{"requests_per_run": ' + "1" * 5_000 + "}", "digits"),
        ('{"name": ' + "[" * 100_000, "nested too deeply"),
        ("name = " + "[" * 100_000, "nested too deeply"),
    ],
)
def test_broken_text_is_one_sentence(text: str, what: str) -> None:
    assert what in problem(text)


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    file.write_bytes(b'\xef\xbb\xbf{"retry_safe": "maybe"}')
    with pytest.raises(BadWorkload, match=r"nightly\.json: retry_safe must be true or false, not 'maybe'\."):
        load_workload(file)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"PAR1\x00\x00\x80", b"#" * (LARGEST_FILE + 1)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(data)
    with pytest.raises(HalfpriceError, match="other"):
        load_workload(file)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_opened_is_wrong_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_workload(tmp_path / name)


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TOML.encode())))
    assert load_workload("-").requests_per_run == 1_000
