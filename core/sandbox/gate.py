"""The way in: numbers, logs and authenticates each request, and makes its scripted fault happen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.sandbox.errors import ApiError, invalid
from core.sandbox.faults import Fault
from core.sandbox.state import Sandbox
from core.sandbox.validate import API_VERSIONS

HangUp = Callable[[tuple[str, int]], None]
"""Ends the connection with a client, once what was sent has left."""


class Gate:
    """ASGI application around the sandbox's routes; `/sandbox` paths pass it without a key, a log entry or a fault."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, hang_up: HangUp) -> None:
        self._app = app
        self._sandbox = sandbox
        self._hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = _Answer(send, self._sandbox.new_id("req"))
        scope["request_id"] = answer.request_id
        if not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, answer.send)
            return
        fault = self._sandbox.faults.take(scope["method"], scope["path"])
        try:
            await self._serve(fault, scope, receive, answer)
        finally:
            self._sandbox.log.append(_entry(scope, answer, fault))

    async def _serve(self, fault: Fault | None, scope: Scope, receive: Receive, answer: _Answer) -> None:
        app = self._app_for(Headers(scope=scope), answer.request_id)
        if fault is None:
            await app(scope, receive, answer.send)
            return
        held = _Held()
        await (app if fault.takes_effect else _ignore)(scope, receive, held.send)
        if fault.kind == "status":
            await error_response(fault.error, answer.request_id, fault.headers)(scope, receive, answer.send)
            return
        if fault.kind == "truncate":
            await held.release(answer.send, fault.bytes)
        self._hang_up(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass

    def _app_for(self, headers: Headers, request_id: str) -> ASGIApp:
        try:
            _authenticate(headers)
        except ApiError as error:
            return _refusing(error_response(error, request_id))
        return self._app


class _Answer:
    """Sends an answer with the headers that every one has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["request-id"] = self.request_id
            headers["x-halfprice-sandbox"] = "1"
        await self._send(message)


class _Held:
    """Holds an answer back."""

    def __init__(self) -> None:
        self._start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    async def release(self, send: Send, most: int) -> None:
        """Send it after all, but only the first bytes of its body."""
        await send(self._start)
        await send({"type": "http.response.body", "body": bytes(self._body[:most]), "more_body": True})


class JsonResponse(Response):
    """A JSON answer in ASCII, because what a request held may come back in it, half a surrogate pair, too."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":")).encode()


def error_response(error: ApiError, request_id: str, headers: dict[str, str] | None = None) -> JsonResponse:
    """An error as the API answers it."""
    return JsonResponse(error.body(request_id), error.status, headers)


def _refusing(response: JsonResponse) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await _ignore(scope, receive, send)
        await response(scope, receive, send)

    return refuse


async def _ignore(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Read a request to its end: a client that still sends would not see the answer."""
    while (await receive()).get("more_body"):
        pass


def _authenticate(headers: Headers) -> None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    if not key:
        raise ApiError(401, "Authentication required: set an API key; any text will do for the sandbox")
    if "refused" in key:
        raise ApiError(401, "invalid x-api-key")
    version = headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in API_VERSIONS:
        raise invalid(f"anthropic-version: {version!r} is not a valid version")


def _entry(scope: Scope, answer: _Answer, fault: Fault | None) -> dict[str, Any]:
    retries = Headers(scope=scope).get("x-stainless-retry-count")
    return {
        "request_id": answer.request_id,
        "method": scope["method"],
        "path": scope["path"],
        "status": answer.status,
        "retry_count": int(retries) if retries and retries.isdecimal() else None,
        "fault": None if fault is None else fault.kind,
    }
