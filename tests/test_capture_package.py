"""What a user's program installs stands alone: one small wheel and the SDK."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.sandbox import serve_in_thread
from tests.capturing import line_of
from tests.lines import halfprice

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "core" / "capture"
MODULES = sorted(PACKAGE.glob("*.py"))
ALLOWED = {"anthropic", "httpx2", "jiter", "anyio"}
"""The SDK and what it is made of: its transport, its JSON, and its way into a thread on any event loop."""


def requirements(names: list[str]) -> Iterator[str]:
    """The distributions that these need, and what those need, as far as this environment asks for it."""
    seen: set[str] = set()
    while names:
        name = re.sub("[-_.]+", "-", names.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement of another platform or Python
        yield name
        names += [
            found[0] for text in needed if "extra ==" not in text and (found := re.match("[A-Za-z0-9._-]+", text))
        ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `halfprice-capture`, built from a copy of its folder."""
    source = tmp_path_factory.mktemp("build") / "capture"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    build = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(source)], cwd=source, capture_output=True, check=True)
    [built] = source.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and its requirements, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    [metadata] = folder.glob("*.dist-info/METADATA")
    needed = [line.split(": ")[1] for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist")]
    for name in requirements([re.split("[^A-Za-z0-9._-]", text)[0] for text in needed]):
        for file in importlib.metadata.files(name) or []:
            link, target = folder / file.parts[0], Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0]
            if file.parts[0] != ".." and not link.exists():
                link.symlink_to(target)
    return folder


def run(site: Path, folder: Path, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program from a folder that has a `core` of its own, with that environment and no other package."""
    (folder / "core").mkdir(exist_ok=True)
    (folder / "core" / "__init__.py").write_text("raise ImportError('the wrong package')")
    (folder / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, "-S", "program.py"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
    )  # fmt: skip


TEN_LINES = """\
import anthropic, asyncio; from halfprice import recorded, workload
ask = {"model": "claude-sonnet-5-5", "max_tokens": 90, "messages": [{"role": "user", "content": "Why is it blue?"}]}
client, other = recorded(anthropic.Anthropic(), workload="chat"), recorded(anthropic.AsyncAnthropic(), workload="chat")
client.messages.create(**ask); client.messages.with_raw_response.create(**ask); client.beta.messages.create(**ask)
with client.messages.stream(**ask) as stream: text = list(stream.text_stream) + list(client.messages.create(**ask, stream=True))
async def main(): return await other.messages.create(**ask), [e async for e in await other.messages.create(**ask, stream=True)]
with workload("nightly"): batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": ask}])
asyncio.run(main())
while not client.messages.batches.retrieve(batch.id).results_url: pass
results = list(client.messages.batches.results(batch.id))
"""  # noqa: E501


def test_a_ten_line_program_with_only_the_capture_installed_ends_in_the_ledger(site: Path, tmp_path: Path) -> None:
    assert len(TEN_LINES.splitlines()) == 10
    home = tmp_path / "home"
    with serve_in_thread(batch_seconds=1, speed=10) as sandbox:
        keys = {"HALFPRICE_HOME": str(home), "ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": "sandbox"}
        done = run(site, tmp_path, TEN_LINES, **keys)
        assert (done.returncode, done.stderr) == (0, "")
        spent = json.loads(halfprice(home, "spend", "--by", "workload", "--json").stdout)
        assert spent["total_usd"] == sandbox.bill()["total_usd"]
    assert {row["key"]: row["requests"] for row in spent["rows"]} == {"chat": 7, "nightly": 1}
    assert Decimal(spent["total_usd"]) > 0


def test_the_program_of_the_readmes_runs_as_written(site: Path, tmp_path: Path) -> None:
    [program], [same] = (
        re.findall(r"<!-- file: program.py -->\n```python\n(.*?)```", readme.read_text(), re.DOTALL)
        for readme in (ROOT / "README.md", PACKAGE / "README.md")
    )
    assert program == same
    with serve_in_thread() as sandbox:
        keys = {
            "ANTHROPIC_BASE_URL": sandbox.url,
            "ANTHROPIC_API_KEY": "sandbox",
            "HALFPRICE_HOME": str(tmp_path / "home"),
        }
        assert run(site, tmp_path, program, **keys).stderr == ""
    line = line_of(tmp_path / "home")
    assert (line["workload"], line["tags"], line["status"]) == ("support-chat", {"team": "shop"}, "succeeded")


@pytest.mark.parametrize("name", ["duckdb", "pandas", "pyarrow", "streamlit", "dashboard", "core"])
def test_nothing_else_can_be_imported_there(site: Path, tmp_path: Path, name: str) -> None:
    done = run(site, tmp_path, f"import {name}")
    assert done.returncode == 1
    assert "No module named" in done.stderr or "the wrong package" in done.stderr


def test_the_wheel_holds_the_modules_and_their_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert inside == {f"halfprice/{module.name}" for module in MODULES} | {"halfprice/py.typed"}


def test_an_editable_install_leads_to_the_folder(tmp_path: Path) -> None:
    source = tmp_path / "capture"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    build = "import setuptools.build_meta as backend, sys; print(backend.build_editable(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, check=True)
    site = tmp_path / "site"
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(site)
    program = f"import site; site.addsitedir({str(site)!r}); import halfprice; print(halfprice.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(source / "__init__.py"), "")


def test_every_import_is_relative_or_of_the_standard_library_or_the_sdk() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | ALLOWED, module
