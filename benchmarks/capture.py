"""How much longer a call takes because it is recorded, beside OpenLLMetry on the same calls.

The transport answers at once from memory, so that what a recorder adds stands out. Everything is measured in turns, and
a recorder's own time is the difference to the bare client's median in the same turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx2
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.rows import Row
from core.capture import recorded

TURNS = 30
CALLS = 60
"""Calls of each client in a turn; as many before the first turn are not counted."""
LIMIT_MS = 0.15
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 500,
    "messages": [
        {"role": "user", "content": "Sum up this review in one sentence: " + "it works and then it does not. " * 20}
    ],
}
USAGE = {
    "input_tokens": 180,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 2_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 300,
    "service_tier": "standard",
    "inference_geo": "global",
    "speed": "standard",
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "an answer of the usual length " * 40}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "stop_details": None,
    "usage": USAGE,
}
BODY = json.dumps(MESSAGE).encode()
HEADERS = {"content-type": "application/json", "request-id": "req_1", "x-halfprice-sandbox": "1"}


class _Nowhere(SpanExporter):
    """Takes spans and keeps none: OpenLLMetry's own time without that of a server for its spans."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
        """Drop them."""
        return SpanExportResult.SUCCESS


@dataclass(slots=True)
class _Own:
    """A recorder's own milliseconds, call by call, and the medians of its turns."""

    calls: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)

    def add(self, times: list[float], bare: float) -> None:
        """One turn beside the bare client's median."""
        self.calls += [each - bare for each in times]
        self.turns.append(statistics.median(times) - bare)

    @property
    def median(self) -> float:
        """The median of the turns."""
        return statistics.median(self.turns)

    def __str__(self) -> str:
        return f"{self.median:.3f} ms (p99 {_p99(self.calls):.2f})"


def measure() -> list[Row]:
    """The own time of a call: not flushed, flushed, and on an event loop."""
    with tempfile.TemporaryDirectory() as home, _home(home):
        plain, flushed, peer, bare = _synchronous()
        alone = asyncio.run(_asynchronous())
        disk = _flush_ms(Path(home))
    name = f"recording a call that takes {statistics.median(bare):.2f} ms (p99 {_p99(bare):.2f})"
    peer_text = f"{peer} (OpenLLMetry)"
    holds = plain.median <= LIMIT_MS
    return [
        Row(f"{name}, without fsync", str(plain), peer_text, plain.median / peer.median, f"≤ {LIMIT_MS} ms", holds),
        Row(
            "the same, with fsync", str(flushed), f"{disk:.3f} ms (one fdatasync)", flushed.median / disk, "none", True
        ),
        Row(
            "the same on an event loop, without fsync", str(alone), peer_text, alone.median / peer.median, "none", True
        ),
    ]


@contextmanager
def _home(folder: str) -> Iterator[None]:
    before = os.environ.get("HALFPRICE_HOME")
    os.environ["HALFPRICE_HOME"] = folder
    try:
        yield
    finally:
        os.environ.pop("HALFPRICE_HOME")
        if before is not None:
            os.environ["HALFPRICE_HOME"] = before


def _answer(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers=HEADERS, content=BODY)


def _client() -> anthropic.Anthropic:
    transport = anthropic.DefaultHttpxClient(transport=httpx2.MockTransport(_answer))
    return anthropic.Anthropic(api_key="k", open_telemetry=False, http_client=transport)


def _synchronous() -> tuple[_Own, _Own, _Own, list[float]]:
    plain, flushed, peer, alone = _Own(), _Own(), _Own(), list[float]()
    bare = _client()
    unflushed_client, flushed_client = recorded(_client(), durable=False), recorded(_client())
    spans = TracerProvider()
    spans.add_span_processor(BatchSpanProcessor(_Nowhere()))
    for turn in range(-1, TURNS):
        times = _calls(bare)
        took = statistics.median(times)
        ours, ours_flushed = _calls(unflushed_client), _calls(flushed_client)
        AnthropicInstrumentor().instrument(tracer_provider=spans)
        theirs = _calls(bare)
        AnthropicInstrumentor().uninstrument()
        if turn >= 0:
            alone += times
            for own, each in ((plain, ours), (flushed, ours_flushed), (peer, theirs)):
                own.add(each, took)
    spans.shutdown()
    return plain, flushed, peer, alone


def _p99(milliseconds: list[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98]


def _calls(client: anthropic.Anthropic) -> list[float]:
    return [_milliseconds(lambda: client.messages.create(**ASKED)) for _ in range(CALLS)]


async def _asynchronous() -> _Own:
    async def answered(request: httpx2.Request) -> httpx2.Response:
        return _answer(request)

    def client() -> anthropic.AsyncAnthropic:
        transport = anthropic.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(answered))
        return anthropic.AsyncAnthropic(api_key="k", open_telemetry=False, http_client=transport)

    async def calls(each: anthropic.AsyncAnthropic) -> list[float]:
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            await each.messages.create(**ASKED)
            times.append((time.perf_counter() - began) * 1e3)
        return times

    own = _Own()
    async with client() as bare, recorded(client(), durable=False) as ours:
        for turn in range(-1, TURNS):
            took = statistics.median(await calls(bare))
            times = await calls(ours)
            if turn >= 0:
                own.add(times, took)
    return own


def _flush_ms(folder: Path) -> float:
    """What writing one line of this size and flushing it takes on this disk."""
    with (folder / "flushed").open("ab", buffering=0) as file:

        def flush() -> None:
            file.write(BODY[:600])
            getattr(os, "fdatasync", os.fsync)(file.fileno())

        return statistics.median(_milliseconds(flush) for _ in range(300))


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3
