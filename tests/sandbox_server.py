"""The sandbox API and the real SDK for tests: a server, clients for it, requests to send.

A test module imports `server_fixture`, `sandbox_fixture` and, for the SDK, `api_fixture` or `once_fixture`, which give
it `sandbox`, `api` and `once`; or it makes a sandbox of its own with `a_sandbox()`, or starts the command with
`sandbox_command()`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import anthropic
import pytest
from anthropic.types.messages import MessageBatch

from core.sandbox import KEY, Handle, serve_in_thread

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SONNET = "claude-sonnet-5-5"
SONNET_4_6 = "claude-sonnet-4-6"
HAIKU = "claude-haiku-5-5"
OPUS = "claude-opus-5-5"
BATCH_SECONDS = 600.0
LONG_ENOUGH = 2 * BATCH_SECONDS
"""Sandbox seconds after which a batch has ended."""


def a_sandbox(**options: Any) -> Handle:
    """A sandbox whose clock starts at START and whose batches take eight to thirteen minutes of its time."""
    return serve_in_thread(**{"start": START, "batch_seconds": BATCH_SECONDS, **options})


@pytest.fixture(name="server", scope="module")
def server_fixture() -> Iterator[Handle]:
    with a_sandbox() as handle:
        yield handle


@pytest.fixture(name="sandbox")
def sandbox_fixture(server: Handle) -> Handle:
    """The module's sandbox, as new."""
    server.reset()
    return server


@pytest.fixture(name="api")
def api_fixture(sandbox: Handle) -> Iterator[anthropic.Anthropic]:
    with client(sandbox) as each:
        yield each


@pytest.fixture(name="once")
def once_fixture(sandbox: Handle) -> Iterator[anthropic.Anthropic]:
    """A client that does not try again."""
    with client(sandbox, max_retries=0, timeout=10) as each:
        yield each


def client(sandbox: Handle, key: str = KEY, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=sandbox.url, api_key=key, **options)


def async_client(sandbox: Handle, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=sandbox.url, api_key=KEY, **options)


def params(text: str = "What is the tallest mountain?", **fields: Any) -> dict[str, Any]:
    return {"model": SONNET, "max_tokens": 200, "messages": [{"role": "user", "content": text}], **fields}


def items(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"custom_id": f"item-{n}", "params": params(f"Question number {n}?", **fields)} for n in range(count)]


def create_batch(api: anthropic.Anthropic, requests: list[dict[str, Any]]) -> MessageBatch:
    return api.messages.batches.create(requests=requests)  # type: ignore[arg-type]


@contextmanager
def sandbox_command(*words: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`halfprice sandbox` as a process of its own, its URL and what it said; ended on the way out."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from core.cli import main; sys.exit(main())", "sandbox", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while (line := process.stdout.readline()) and not line.startswith("Ctrl-C"):
            said += line
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found, said + process.communicate()[1]
        yield process, found[0], said
    finally:
        process.terminate()
        process.communicate(timeout=20)
