"""What the README says is true: its files and commands, run as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The files that the README shows, by name."""
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))


def session() -> list[tuple[str, str]]:
    """The commands of the README with the output that it promises, in order."""
    text = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    return re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", text, re.DOTALL | re.MULTILINE)


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


def test_the_table_of_commands_is_the_command_line() -> None:
    assert re.findall(r"^\| `halfprice (\w+)", README, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README)) - {"on"}))
def test_every_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
