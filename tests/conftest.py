"""What many tests start from: a home of their own with a real journal and a real ledger."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.capture.journal import Journal
from core.cli import main
from core.ledger import Ingested, Ledger
from core.sandbox import Handle, serve_in_thread
from core.settings import change_setting
from tests.lines import NOW
from tests.sending import Call, line, write

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

Record = Callable[..., Ingested]
Open = Callable[..., "AppTest"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    change_setting(folder, "time_zone", "UTC")
    return folder


@pytest.fixture
def sandbox() -> Iterator[Handle]:
    """A sandbox of its own whose clock starts now, as the home's does; its batches take ten minutes of that clock."""
    with serve_in_thread(batch_seconds=600) as handle:
        yield handle


@pytest.fixture
def ledger(home: Path) -> Ledger:
    return Ledger(home)


@pytest.fixture
def record(ledger: Ledger) -> Iterator[Record]:
    """Append records to a journal and ingest them; returns what the ingest counted."""
    journal = Journal(ledger.home, durable=False)

    def append(*records: Mapping[str, Any]) -> Ingested:
        journal.append_all(records)
        return ledger.sync(NOW)

    yield append
    journal.close()


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a page of the dashboard on a home, as a browser would with that address."""
    import streamlit as st  # half a second that tests without a page need not spend

    from tests.pages import open_page

    def opened(home: Path, page: str = "overview", **address: str) -> AppTest:
        monkeypatch.setenv("HALFPRICE_HOME", str(home))
        return open_page(page, **address)

    yield opened
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def call(home: Path, sandbox: Handle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process, which saves importing the SDK each time; kills and pipes use real processes."""
    monkeypatch.setenv("HALFPRICE_HOME", str(home))

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in ({"ANTHROPIC_BASE_URL": sandbox.url, "ANTHROPIC_API_KEY": "sandbox"} | environment).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.jsonl"
    write(path, *(line(number) for number in range(40)))
    return path
