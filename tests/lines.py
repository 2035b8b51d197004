"""Journal lines for tests, complete and valid until a test changes a field."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.capture.ids import new_request_id
from core.periods import month_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOVEMBER = month_of(date(2026, 11, 1))
SONNET = "claude-sonnet-5-5"
"""Since 2026-10-07: input 2, output 10, cache write 2.50 / 4, cache read 0.10 USD per million tokens."""


def usage(input_tokens: int = 1_000, output_tokens: int = 200, **fields: Any) -> dict[str, Any]:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, **fields}


def request(**fields: Any) -> dict[str, Any]:
    """A synchronous Sonnet 5.5 request of 1,000 / 200 tokens: 0.004 USD."""
    return {
        "v": 1,
        "kind": "request",
        "request_id": new_request_id(),
        "sent_at": "2026-11-10T10:00:00Z",
        "route": "sync",
        "workload": "tests",
        "model": SONNET,
        "status": "succeeded",
        "source": "test",
        "usage": usage(),
        **fields,
    }


def batch_item(batch_id: str, custom_id: str, **fields: Any) -> dict[str, Any]:
    """The same request as an item of a batch: 0.002 USD."""
    tier = usage(service_tier="batch")
    return request(route="batch", batch_id=batch_id, custom_id=custom_id, **{"usage": tier, **fields})


def batch(batch_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "kind": "batch",
        "batch_id": batch_id,
        "workload": "tests",
        "status": "in_progress",
        "created_at": "2026-11-10T10:00:00Z",
        "expires_at": "2026-11-11T10:00:00Z",
        "requests": 1,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
        "observed_at": "2026-11-10T10:00:01Z",
        **fields,
    }


def halfprice(home: Path, *words: str, stdin: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a user would; its home is given, its zone is UTC unless said."""
    done = subprocess.run(
        [Path(sys.executable).with_name("halfprice"), *words],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env={**os.environ, "HALFPRICE_HOME": str(home), "TZ": "UTC", **environment},
        check=False,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
