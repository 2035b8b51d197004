"""What the README says is true: its files and commands, run as written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from core.cli import COMMANDS
from core.sandbox import Handle
from tests.sandbox_server import sandbox_command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The files that the README shows, by name."""
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))


def session() -> list[tuple[str, str]]:
    """The commands of the README with the output that it promises, in order."""
    text = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    return re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", text, re.DOTALL | re.MULTILINE)


def block(opening: str) -> list[str]:
    """The lines of the one code block that opens like this."""
    [text] = re.findall(rf"{opening}\n(.*?)```", README, re.DOTALL)
    return str(text).splitlines()


def test_every_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "HALFPRICE_HOME": str(tmp_path / "home"), "PATH": path, "TZ": "UTC"}
    commands = session()
    assert len(commands) >= 4
    for command, promised in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr, done.returncode) == (promised, "", 0), command


def test_the_trial_with_the_sandbox_runs_as_written(tmp_path: Path) -> None:
    serve, *lines = block("<!-- run: sandbox -->\n```sh")
    with sandbox_command(*shlex.split(serve, comments=True)[2:], "--port", "0") as (_, url, _):
        text = "\n".join(["set -e", *lines]).replace("http://127.0.0.1:8787", url)
        text = text.replace("/tmp/halfprice-trial", str(tmp_path / "home"))
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            text, shell=True, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        with urllib.request.urlopen(f"{url}/sandbox/bill") as answer:
            bill = json.load(answer)
    assert done.returncode == 0, done.stderr
    assert bill["batch_items"] == 1_000
    [total] = re.findall(r"^total +1,000 +(\S+)", done.stdout, re.MULTILINE)
    assert total == f"{Decimal(bill['total_usd']):.6f}"


def test_the_cron_lines_do_a_nights_work(tmp_path: Path, sandbox: Handle) -> None:
    """Run as cron does: by /bin/sh, in the user's folder, with hardly any environment."""
    key, send, collect = block("```crontab")
    (tmp_path / ".local/bin").mkdir(parents=True)
    (tmp_path / ".local/bin/halfprice").symlink_to(Path(sys.executable).with_name("halfprice"))
    (tmp_path / "reviews").mkdir()
    requests = (ROOT / "sample_data/workloads/app-reviews.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "reviews/tonight.jsonl").write_bytes(b"".join(requests[:20]))
    name, _, value = key.partition("=")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", name: value, "ANTHROPIC_BASE_URL": sandbox.url}

    def cron(line: str) -> subprocess.CompletedProcess[str]:
        words = ["/bin/sh", "-c", line.split(maxsplit=5)[5]]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert cron(send).returncode == 0
    sandbox.advance(3_600)
    collected = cron(collect)
    assert (collected.returncode, collected.stdout) == (0, "")
    spent = cron("* * * * * $HOME/.local/bin/halfprice spend --json")
    assert json.loads(spent.stdout)["total_usd"] == sandbox.bill()["total_usd"] != "0"


def test_the_table_of_commands_is_the_command_line() -> None:
    assert re.findall(r"^\| `halfprice (\w+)", README, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README)) - {"on"}))
def test_every_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
