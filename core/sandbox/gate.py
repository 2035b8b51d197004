"""The way in: numbers, logs, authenticates and admits each request, or hands it to its fault."""

from __future__ import annotations

import re
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.sandbox.clock import iso
from core.sandbox.errors import ApiError, invalid
from core.sandbox.faults import Fault
from core.sandbox.sabotage import Line, Sabotage
from core.sandbox.state import Sandbox
from core.sandbox.validate import API_VERSIONS
from core.sandbox.wire import discard, error_response

DEFAULT_WORKSPACE = "wrkspc_sandbox_default"
_KEY_OF_A_WORKSPACE = re.compile(r"[^@]*@(\*|[a-zA-Z0-9_-]{1,64})")
_WORKSPACE = re.compile(r"wrkspc_sandbox_[a-zA-Z0-9_-]{1,64}")


class Gate:
    """ASGI application around the sandbox's routes; `/sandbox` paths pass it without a key, a log entry or a fault."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, line: Line) -> None:
        self._app = app
        self._sandbox = sandbox
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = _Answer(send, self._sandbox.new_id("req"))
        scope["request_id"] = answer.request_id
        if not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, answer.send)
            return
        at = self._sandbox.clock.now()
        fault = self._sandbox.faults.take(scope["method"], scope["path"])
        try:
            if fault is None:
                await self._serve(scope, receive, answer.send)
            else:
                sabotage = Sabotage(fault, answer.request_id, self._line)
                await sabotage.serve(self._serve, scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = None  # a client that is killed while it sends leaves a request that never was
        finally:
            self._sandbox.log.append({"at": iso(at), **_entry(scope, answer, fault)})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope["workspace"] = authenticated_workspace(Headers(scope=scope))
            if self._sandbox.account.minds_spending(scope["method"], scope["path"]):
                await self._sandbox.batches.settle(self._sandbox.clock.now())
            extra = self._sandbox.account.admit(scope["method"], scope["path"])
        except ApiError as error:
            await discard(scope, receive, send)
            await error_response(error, scope["request_id"])(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send, {"anthropic-workspace-id": scope["workspace"], **extra}))


class _Answer:
    """Sends an answer with the headers that every one has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self._send = _with_headers(send, {"request-id": request_id, "x-halfprice-sandbox": "1"})

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(extra)
        await send(message)

    return send_with_headers


def authenticated_workspace(headers: Headers) -> str:
    """The workspace that the key of a request belongs to; ApiError without a key, or for another workspace.

    Any key will do. `name@b` belongs to the workspace `wrkspc_sandbox_b`; `name@*` belongs to all of them, and the
    header `anthropic-workspace-id` chooses one; any other belongs to the default one.
    """
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
    return _workspace(key, headers.get("anthropic-workspace-id"))


def _workspace(key: str, asked: str | None) -> str:
    found = _KEY_OF_A_WORKSPACE.fullmatch(key)
    if found is None and "@" in key:
        raise ApiError(401, "invalid x-api-key: a workspace of the sandbox is named by letters, digits, - and _")
    if found is not None and found[1] == "*":
        if asked is None or not _WORKSPACE.fullmatch(asked):
            raise invalid("anthropic-workspace-id: a key of several workspaces needs one, such as wrkspc_sandbox_a")
        return asked
    own = DEFAULT_WORKSPACE if found is None else f"wrkspc_sandbox_{found[1]}"
    if asked not in (None, own):
        raise ApiError(403, f"anthropic-workspace-id: this key belongs to {own}")
    return own


def _entry(scope: Scope, answer: _Answer, fault: Fault | None) -> dict[str, Any]:
    retries = Headers(scope=scope).get("x-stainless-retry-count")
    return {
        "request_id": answer.request_id,
        "method": scope["method"],
        "path": scope["path"],
        "workspace": scope.get("workspace"),
        "status": answer.status,
        "retry_count": int(retries) if retries and retries.isdecimal() else None,
        "fault": None if fault is None else fault.kind,
    }
