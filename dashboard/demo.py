"""The home of one demo: synthetic data in a temporary folder, out of reach of the caller's key."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.errors import HalfpriceError
from core.ledger import Ledger
from core.ledger.sample import write_sample_journal
from core.settings import mark_home

DUMMY_KEY = "halfprice-demo-needs-no-key"


@contextmanager
def demo_home() -> Iterator[Path]:
    """A home full of sample data, which `HALFPRICE_HOME` names and which is removed in the end."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="halfprice-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise HalfpriceError(
            f"No temporary folder can be made: {error.strerror}. Set TMPDIR to one that can."
        ) from None
    with folder as name:
        home = Path(name)
        for variable in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
            del os.environ[variable]
        os.environ |= {"HALFPRICE_HOME": name, "ANTHROPIC_API_KEY": DUMMY_KEY}
        mark_home(home, "sandbox")
        (home / "journal").mkdir()
        write_sample_journal(home / "journal" / "sample.jsonl", datetime.now(UTC))
        Ledger(home).sync()
        yield home
