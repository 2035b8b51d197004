"""Makes a scripted fault happen to one request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.sandbox.faults import Fault
from core.sandbox.wire import discard, error_response


class Line(Protocol):
    """The connections with the clients."""

    def hang_up(self, client: tuple[str, int], *, broken: bool) -> None:
        """End a connection once what was sent has left, or break it."""

    async def wait(self, seconds: float) -> None:
        """Let real time pass, unless the server is to stop."""


class Sabotage:
    """One fault on its way through one request."""

    def __init__(self, fault: Fault, request_id: str, line: Line) -> None:
        self._fault = fault
        self._request_id = request_id
        self._line = line

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request as far as the fault lets it go."""
        fault = self._fault
        if fault.kind in ("status", "close"):
            if fault.when != "unread":
                await (app if fault.when == "after_accept" else discard)(scope, receive, _nowhere)
            if fault.kind == "status":
                await self._error()(scope, receive, send)
                return
        else:
            meddler = _Meddler(fault, self._request_id, self._line, send)
            await app(scope, receive, meddler.send)
            if not meddler.broken:
                return
        self._line.hang_up(scope["client"], broken=fault.ending == "reset")
        while (await receive())["type"] != "http.disconnect":
            pass

    def _error(self) -> Response:
        fault = self._fault
        if fault.body is not None:
            return Response(fault.body, fault.status, fault.headers)
        return error_response(fault.error, self._request_id)


class _Meddler:
    """Passes an answer on until the fault begins; `broken` once its connection is to end."""

    def __init__(self, fault: Fault, request_id: str, line: Line, send: Send) -> None:
        self.broken = False
        self._fault = fault
        self._kind = fault.kind
        self._request_id = request_id
        self._line = line
        self._send = send
        self._sent = 0
        self._stalled = False
        self._over = False

    async def send(self, message: Message) -> None:
        """Take the next message of the application."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        for piece in self._pieces(message.get("body", b"")):
            await self._pass(piece)
        at_the_end = not message.get("more_body", False)
        if self._kind in ("truncate", "event") and (at_the_end or self._sent >= self._fault.bytes):
            await self._break_off()
        elif at_the_end:
            await self._stall(at=self._fault.bytes)
            await self._finish()

    async def _start(self, message: Message) -> None:
        headers = message["headers"]
        if self._kind == "delay":
            await self._line.wait(self._fault.seconds)
        if self._kind == "event" and not dict(headers).get(b"content-type", b"").startswith(b"text/event-stream"):
            self._kind = "none"  # there is no stream to put an event into
        if self._fault.ending == "clean":
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        await self._send({**message, "headers": headers})

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        left = max(self._fault.bytes - self._sent, 0)
        if self._kind == "drip":
            size = self._fault.bytes or 1
            return (body[at : at + size] for at in range(0, len(body), size))
        if self._kind == "truncate":
            body = body[:left]
        if self._kind == "stall" and 0 < left < len(body):
            return iter((body[:left], body[left:]))
        return iter((body,) if body else ())

    async def _pass(self, piece: bytes) -> None:
        if self._kind == "drip":
            await self._line.wait(self._fault.seconds)
        await self._stall(at=self._sent)
        self._sent += len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _stall(self, at: int) -> None:
        if self._kind == "stall" and not self._stalled and at >= self._fault.bytes:
            self._stalled = True
            await self._line.wait(self._fault.seconds)

    async def _break_off(self) -> None:
        self._over = True
        if self._kind == "event":
            data = json.dumps(self._fault.error.body(self._request_id))
            await self._finish(f"event: error\ndata: {data}\n\n".encode())
        elif self._fault.ending == "clean":
            await self._finish()
        else:
            self.broken = True

    async def _finish(self, rest: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": rest, "more_body": False})


async def _nowhere(_message: Message) -> None:
    """Drop an answer."""
