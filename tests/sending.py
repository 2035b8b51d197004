"""Requests to send, and what comes of sending them by the command line."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.sandbox import Handle

HAIKU = "claude-haiku-4-5-20251001"
Call = Callable[..., subprocess.CompletedProcess[str]]


def line(number: int, **fields: Any) -> dict[str, Any]:
    rng = random.Random(number)
    words = " ".join(rng.choice(["love", "crash", "slow", "great", "update", "refund"]) for _ in range(30))
    message = {"role": "user", "content": f"Classify this app review: {words}"}
    return {"custom_id": f"r-{number}", "params": {"model": HAIKU, "max_tokens": 100, "messages": [message]}, **fields}


def write(path: Path, *lines: object) -> None:
    path.write_text("".join((text if isinstance(text, str) else json.dumps(text)) + "\n" for text in lines))


def run_json(call: Call, file: Path, route: str, *words: str) -> dict[str, Any]:
    done = call("run", str(file), "--workload", "reviews", "--route", route, "--yes", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def spent(call: Call, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call("spend", "--json", *words).stdout)
    return found


def answers(path: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in Path(path).read_text().splitlines()]


def posts(sandbox: Handle, path: str) -> int:
    return sum(entry["method"] == "POST" and entry["path"] == path for entry in sandbox.log())
