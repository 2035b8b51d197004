"""The wheel holds all that the commands need and runs in any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, built from the files that git would ship."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            copy.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():
            copy.write_bytes((ROOT / name).read_bytes())
    build = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(source)], cwd=source, capture_output=True, check=True)
    [wheel] = source.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def python(installed: Path, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with only the unpacked wheel and the dependencies, in a folder with packages of the same names."""
    for name in ("core", "dashboard"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text("raise ImportError('the wrong package')")
    return subprocess.run(
        [sys.executable, "-P", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(installed), "HALFPRICE_HOME": str(folder / "home"), **environment},
    )  # fmt: skip


def test_data_files_are_inside_and_development_files_are_not(installed: Path) -> None:
    inside = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    expected = {
        "core/prices.toml",
        "core/sample_data/requests.parquet",
        "core/sample_data/batches.parquet",
        "core/sql/001_ledger.sql",
        "core/sql/ingest/read_lines.sql",
        "dashboard/.streamlit/config.toml",
        "dashboard/app.py",
    }
    assert expected <= inside
    sources = {
        str(path.relative_to(ROOT))
        for package in ("core", "dashboard")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".sql", ".toml", ".svg", ".woff2") and "sample_data" not in path.parts
    } - {"core/capture/pyproject.toml"}  # of the distribution that the user's own programs install
    assert sources <= inside
    assert not {name for name in inside if name.startswith(("tests/", "benchmarks/", "sample_data/"))}
    assert (installed / "dashboard/.streamlit/config.toml").read_bytes() == (
        ROOT / ".streamlit/config.toml"
    ).read_bytes()


def test_commands_run_from_the_wheel_in_a_folder_with_a_core_of_its_own(installed: Path, tmp_path: Path) -> None:
    where = python(installed, tmp_path, "-c", "import core, dashboard; print(core.__file__, dashboard.__file__)")
    assert where.stdout.split() == [str(installed / name / "__init__.py") for name in ("core", "dashboard")]
    spend = python(
        installed, tmp_path, "-c", "import sys; from core.cli import main; sys.exit(main(['spend', '--json']))"
    )
    assert spend.returncode == 0, spend.stderr
    assert json.loads(spend.stdout)["total_usd"] == "0"
