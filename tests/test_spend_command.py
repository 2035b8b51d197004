"""`halfprice spend` and `halfprice config`, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from core.capture.journal import Journal
from tests.conftest import Record
from tests.lines import batch_item, halfprice, request, usage


def test_the_document_has_the_promised_shape_and_exact_amounts(record: Record, home: Path) -> None:
    record(
        request(usage=usage(1_000, 200, cache_read_input_tokens=7, cache_creation_input_tokens=0)),
        batch_item("b", "a", model="claude-haiku-5-5"),
        request(model="claude-unheard-of"),
    )
    done = halfprice(home, "spend", "--month", "2026-11", "--by", "model", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "since": "2026-11-01T00:00:00Z",
        "until": "2026-12-01T00:00:00Z",
        "total_usd": "0.0041007",
        "requests": 3,
        "unpriced_requests": 1,
        "rows": [
            {
                "key": "claude-sonnet-5-5",
                "requests": 1,
                "input_tokens": 1_000,
                "output_tokens": 200,
                "cache_read_tokens": 7,
                "cache_write_tokens": 0,
                "cost_usd": "0.0040007",
            },
            {
                "key": "claude-haiku-5-5",
                "requests": 1,
                "input_tokens": 1_000,
                "output_tokens": 200,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "cost_usd": "0.0001",
            },
            {
                "key": "claude-unheard-of",
                "requests": 1,
                "input_tokens": 1_000,
                "output_tokens": 200,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "cost_usd": None,
            },
        ],
    }


def test_new_journal_lines_are_in_the_next_answer(home: Path) -> None:
    Journal(home).append(request())
    assert json.loads(halfprice(home, "spend", "--month", "2026-11", "--json").stdout)["total_usd"] == "0.004"
    Journal(home).append(request())
    assert json.loads(halfprice(home, "spend", "--month", "2026-11", "--json").stdout)["total_usd"] == "0.008"


def test_every_split_adds_up_to_the_same_total(record: Record, home: Path) -> None:
    record(*(request(workload=f"w{n % 3}", sent_at=f"2026-11-{n + 1:02}T00:00:00Z") for n in range(20)))
    for by in ("model", "workload", "route", "day"):
        found = json.loads(halfprice(home, "spend", "--month", "2026-11", "--by", by, "--json").stdout)
        assert found["total_usd"] == "0.08"
        assert sum(Decimal(row["cost_usd"]) for row in found["rows"]) == Decimal("0.08")


def test_a_zone_can_be_asked_for_and_the_month_is_cut_there(record: Record, home: Path) -> None:
    record(request(sent_at="2026-11-01T03:59:59Z"), request(sent_at="2026-11-01T04:00:00Z"))
    found = json.loads(halfprice(home, "spend", "--month", "2026-11", "--tz", "America/New_York", "--json").stdout)
    assert (found["since"], found["until"]) == ("2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z")
    assert found["requests"] == 1


def test_the_table_says_what_it_counts(record: Record, home: Path) -> None:
    record(request(), batch_item("b", "a"), request(model="claude-unheard-of"))
    text = halfprice(home, "spend", "--month", "2026-11", "--by", "model").stdout
    assert "November 2026 (UTC), list price" in text
    assert "0.006000" in text
    assert "unpriced" in text
    assert "1 request has no known price: it is counted, and the amounts leave it out (*)." in text


def test_an_empty_month_says_what_to_do(home: Path) -> None:
    done = halfprice(home, "spend", "--month", "2024-01")
    assert done.returncode == 0
    assert "No requests" in done.stdout
    assert "halfprice import jsonl" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["spend", "--month", "2026-13"], "YYYY-MM"),
        (["spend", "--month", "november"], "YYYY-MM"),
        (["spend", "--tz", "Mars/Olympus"], "IANA name"),
        (["spend", "--by", "mood"], "invalid choice"),
        (["spent"], "invalid choice"),
        ([], "required"),
    ],
)
def test_a_wrong_call_is_exit_2_with_a_sentence(home: Path, words: list[str], says: str) -> None:
    done = halfprice(home, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = halfprice(tmp_path / "file" / "home", "spend")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr


def test_a_newer_ledger_is_one_sentence_and_untouched(record: Record, home: Path) -> None:
    record(request())
    with duckdb.connect(home / "ledger.duckdb") as connection:
        connection.execute("insert into schema_versions values (99, now())")
    before = (home / "ledger.duckdb").read_bytes()
    done = halfprice(home, "spend")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Upgrade Halfprice" in done.stderr
    assert (home / "ledger.duckdb").read_bytes() == before


def test_a_ledger_open_in_another_program_names_it(record: Record, home: Path) -> None:
    record(request())
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    words = [sys.executable, "-c", program, str(home / "ledger.duckdb")]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        done = halfprice(home, "spend")
        holder.communicate("\n")
    assert done.returncode == 1
    assert f"process {holder.pid}" in done.stderr
    assert "Close it there" in done.stderr


def test_spend_imports_neither_streamlit_nor_anthropic_nor_plotly(record: Record, home: Path) -> None:
    record(request())
    program = (
        "import sys; from core.cli import main; main(['spend', '--json']); "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(loaded & {'streamlit', 'anthropic', 'plotly', 'pandas'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"HALFPRICE_HOME": str(home)}
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_traceback(record: Record, home: Path) -> None:
    record(*(request(workload=f"w{n}") for n in range(2_000)))
    command = f"{Path(sys.executable).with_name('halfprice')} spend --month 2026-11 --by workload | head -1"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, env={"HALFPRICE_HOME": str(home)}
    )
    assert done.stderr == ""


def test_settings_are_shown_changed_and_kept(home: Path) -> None:
    assert "time_zone = UTC" in halfprice(home, "config").stdout
    assert halfprice(home, "config", "time_zone", "Asia/Kathmandu").returncode == 0
    assert json.loads(halfprice(home, "config", "--json").stdout)["time_zone"] == "Asia/Kathmandu"
    assert json.loads(halfprice(home, "config", "time_zone", "", "--json").stdout)["time_zone"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["config", "colour"], "There is no setting 'colour'"),
        (["config", "colour", "red"], "There is no setting 'colour'"),
        (["config", "time_zone", "Mars/Olympus"], "IANA name"),
    ],
)
def test_a_wrong_setting_changes_nothing(home: Path, words: list[str], says: str) -> None:
    done = halfprice(home, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "time_zone = UTC" in halfprice(home, "config").stdout


@pytest.mark.parametrize("text", ["time_zone = ", "time_zone = 5", "colour = 'red'", "time_zone = 'Mars'", "\x00"])
def test_a_broken_settings_file_is_named(home: Path, text: str) -> None:
    (home / "settings.toml").write_text(text)
    done = halfprice(home, "spend")
    assert done.returncode == 1
    assert "settings.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_month_without_a_single_price_has_no_amount(record: Record, home: Path) -> None:
    record(request(model="claude-unheard-of"))
    found = json.loads(halfprice(home, "spend", "--month", "2026-11", "--json").stdout)
    assert (found["total_usd"], found["requests"], found["unpriced_requests"]) == (None, 1, 1)
    assert "0.000000" not in halfprice(home, "spend", "--month", "2026-11").stdout


def test_lines_that_are_not_counted_are_named_with_file_and_line(home: Path) -> None:
    journal = Journal(home)
    journal.append(request(v=2))
    done = halfprice(home, "spend")
    assert done.returncode == 0
    assert f"{journal.files[0].name}, line 1: v is 2" in done.stderr


def test_names_cannot_disturb_the_terminal(record: Record, home: Path) -> None:
    record(request(workload="a\x1b[31mred\nx"))
    text = halfprice(home, "spend", "--month", "2026-11", "--by", "workload").stdout
    assert "\x1b" not in text
    assert len(text.splitlines()) == 4


def test_the_default_zone_can_be_had_back(record: Record, home: Path) -> None:
    record(request())
    halfprice(home, "config", "time_zone", "Asia/Tokyo")
    assert "Asia/Tokyo" in halfprice(home, "spend").stdout
    halfprice(home, "config", "time_zone", "")
    assert "(UTC)" in halfprice(home, "spend").stdout
    assert "time_zone = default\ntime_zone_in_force = UTC" in halfprice(home, "config").stdout


@pytest.mark.parametrize("month", ["9999-12", "1999-12", "\u0662\u0660\u0662\u0666-11"])
def test_months_beyond_the_calendar_are_refused(home: Path, month: str) -> None:
    done = halfprice(home, "spend", "--month", month, "--tz", "Asia/Tokyo")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_full_output_is_one_sentence(record: Record, home: Path) -> None:
    record(request())
    command = f"{Path(sys.executable).with_name('halfprice')} spend > /dev/full"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, env={"HALFPRICE_HOME": str(home)}
    )
    assert (done.returncode, done.stderr) == (1, "halfprice: [Errno 28] No space left on device\n")


def test_what_is_written_is_for_its_user_alone(home: Path) -> None:
    home.chmod(0o755)
    Journal(home).append(request())
    halfprice(home, "spend")
    assert {path.name: path.stat().st_mode & 0o077 for path in home.rglob("*") if path.is_file()}.keys() >= {
        "ledger.duckdb"
    }
    assert not [path for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


@pytest.mark.parametrize("name", ["journal/d.jsonl", "ledger.lock", "kind"])
def test_a_folder_where_a_file_should_be_is_no_traceback(home: Path, name: str) -> None:
    (home / name).mkdir(parents=True)
    for words in (["spend"], ["config"]):
        assert "Traceback" not in halfprice(home, *words).stderr
