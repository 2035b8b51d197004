"""The home of one demo: synthetic data in a temporary folder, the sandbox behind it, the caller's key out of reach."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import HalfpriceError
from core.ledger import Ledger
from core.ledger.sample import write_sample_journal
from core.settings import mark_home

if TYPE_CHECKING:
    from core.sandbox import Handle

DUMMY_KEY = "halfprice-demo-needs-no-key"
BATCH_S = 12.0
"""How long a batch takes in the demo: long enough to be seen running, short enough to be waited for."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A home full of sample data, and the address of the sandbox that stands in for the API."""

    home: Path
    api_url: str


@contextmanager
def demo() -> Iterator[Demo]:
    """A demo to which the environment of this process then points; all of it is gone in the end."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="halfprice-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise HalfpriceError(
            f"No temporary folder can be made: {error.strerror}. Set TMPDIR to one that can."
        ) from None
    with folder as name, ThreadPoolExecutor(1) as beside:
        starting = beside.submit(_start_sandbox)
        _fill(Path(name))
        with starting.result() as sandbox:
            for variable in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
                del os.environ[variable]
            os.environ |= {
                "HALFPRICE_HOME": name,
                "ANTHROPIC_API_KEY": DUMMY_KEY,
                "ANTHROPIC_BASE_URL": sandbox.url,
            }
            yield Demo(Path(name), sandbox.url)


def _start_sandbox() -> Handle:
    from core.sandbox import serve_in_thread  # a web server, imported while the sample is brought in

    return serve_in_thread(batch_seconds=BATCH_S)


def _fill(home: Path) -> None:
    mark_home(home, "sandbox")
    (home / "journal").mkdir()
    write_sample_journal(home / "journal" / "sample.jsonl", datetime.now(UTC))
    Ledger(home).sync()
