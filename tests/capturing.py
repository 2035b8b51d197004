"""Programs that are recorded: clients of the sandbox or of a scripted transport, and what their journal holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from core.capture import recorded
from core.ledger import Ledger
from core.periods import Period
from core.sandbox import KEY, Handle, serve_in_thread
from tests.sandbox_server import SONNET

EVER = Period(date(2020, 1, 1), date(2100, 1, 1))
PROMPT = "PRIVATE-PROMPT"
USAGE = {
    "input_tokens": 1_000,
    "cache_creation_input_tokens": 500,
    "cache_read_input_tokens": 2_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300},
    "output_tokens": 40,
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "fast",
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": SONNET,
    "content": [{"type": "text", "text": "PRIVATE-ANSWER"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "stop_details": None,
    "usage": USAGE,
}


@pytest.fixture(name="server", scope="module")
def server_fixture() -> Iterator[Handle]:
    """A sandbox whose clock is ours, for a module."""
    with serve_in_thread(batch_seconds=600) as handle:
        yield handle


@pytest.fixture(name="sandbox")
def sandbox_fixture(server: Handle, home: Path, monkeypatch: pytest.MonkeyPatch) -> Handle:
    """The module's sandbox as new, in the environment of a program whose home is the test's."""
    server.reset()
    monkeypatch.setenv("HALFPRICE_HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return server


@pytest.fixture(name="program_home")
def program_home_fixture(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a program that talks to a scripted transport."""
    monkeypatch.setenv("HALFPRICE_HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return home


def ask(**fields: Any) -> dict[str, Any]:
    """A small Messages request."""
    return {"model": SONNET, "max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}], **fields}


def items(count: int, **fields: Any) -> Any:
    """Items of a batch."""
    return [{"custom_id": f"item-{n}", "params": ask(**fields)} for n in range(count)]


def lines(home: Path, kind: str = "request") -> list[dict[str, Any]]:
    """What the journal holds, in the order of writing."""
    files = sorted((home / "journal").glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    found = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


def line_of(home: Path) -> dict[str, Any]:
    """The one request in the journal."""
    [line] = lines(home)
    return line


def cost(home: Path) -> Decimal:
    """What the ledger says the home's requests cost; no line may have been refused."""
    ledger = Ledger(home)
    ledger.sync(datetime.now(UTC) + timedelta(days=1))
    with ledger.read() as reader:
        assert reader.quarantine() == []
        return reader.total(EVER).cost_usd


def bill(sandbox: Handle) -> Decimal:
    """What the sandbox charged."""
    return Decimal(sandbox.bill()["total_usd"])


def event(name: str, **fields: Any) -> bytes:
    """A server-sent event as the API writes it."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def started(**usage: Any) -> bytes:
    """The first event of a message: all of its usage, with a provisional output."""
    return event("message_start", message={**MESSAGE, "content": [], "stop_reason": None, "usage": {**USAGE, **usage}})


def delta(stop_reason: str | None = "end_turn", **usage: Any) -> bytes:
    """The counts so far, and why the message ended if it did."""
    return event("message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage=usage)


TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + event(
    "content_block_delta", index=0, delta={"type": "text_delta", "text": "PRIVATE-ANSWER"}
)
STOP = event("message_stop")


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces for either kind of client; it may break off, and says whether it was closed."""

    def __init__(self, pieces: Iterable[bytes], error: Exception | None = None) -> None:
        self._pieces = list(pieces)
        self._error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._error:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


Answer = Callable[[], httpx2.Response] | Exception


class Script(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A transport that gives these answers in turn, then the last one again and again."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)


def answer(body: object = MESSAGE, status: int = 200, **headers: str) -> Answer:
    """A JSON answer of the API."""
    said = {"content-type": "application/json", "request-id": "req_1", **headers}
    return lambda: httpx2.Response(status, headers=said, stream=Body([json.dumps(body).encode()]))


def stream(*pieces: bytes, error: Exception | None = None, **headers: str) -> Answer:
    """A streamed answer of the API."""
    said = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_1", **headers}
    return lambda: httpx2.Response(200, headers=said, stream=Body(pieces, error))


def refusal(status: int, error_type: str, **headers: str) -> Answer:
    """An error of the API that is not waited for."""
    body = {"type": "error", "error": {"type": error_type, "message": "no"}, "request_id": "req_1"}
    return answer(body, status, **{"retry-after-ms": "1", **headers})


def scripted(*answers: Answer, middleware: Any = (), **options: Any) -> anthropic.Anthropic:
    """An unrecorded client that gets these answers."""
    transport = anthropic.DefaultHttpxClient(transport=Script(answers))
    return anthropic.Anthropic(http_client=transport, middleware=middleware, **options)


def scripted_async(*answers: Answer, middleware: Any = (), **options: Any) -> anthropic.AsyncAnthropic:
    """The same for an event loop."""
    transport = anthropic.DefaultAsyncHttpxClient(transport=Script(answers))
    return anthropic.AsyncAnthropic(http_client=transport, middleware=middleware, **options)


def recorded_script(*answers: Answer, **options: Any) -> anthropic.Anthropic:
    """A recorded client that gets these answers."""
    return recorded(scripted(*answers, **options), workload="scripted")
