"""What many tests start from: a home of their own with a real journal and a real ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.capture.journal import Journal
from core.ledger import Ingested, Ledger
from core.sandbox import Handle, serve_in_thread
from core.settings import change_setting
from tests.lines import NOW

Record = Callable[..., Ingested]


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
