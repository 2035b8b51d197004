"""The HTTP routes of the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from core.sandbox.errors import ApiError, invalid
from core.sandbox.gate import Gate, HangUp, JsonResponse, error_response
from core.sandbox.messages import Sent, count_tokens
from core.sandbox.models import CATALOGUE, find_model
from core.sandbox.state import Sandbox
from core.sandbox.stream import events

MEGABYTE = 1024 * 1024
MOST_BYTES = 32 * MEGABYTE
MOST_BATCH_BYTES = 256 * MEGABYTE
MOST_ROWS, DEFAULT_ROWS = 1_000, 20
_LIMIT = re.compile("[1-9][0-9]{0,3}")
CHUNK_LINES = 200
"""Result lines that travel together."""

Endpoint = Callable[[Request], Awaitable[Response]]


def application(sandbox: Sandbox, hang_up: HangUp) -> Gate:
    """The sandbox as an ASGI application."""
    api = _Api(sandbox)
    control = _Control(sandbox)
    batches, batch = "/v1/messages/batches", "/v1/messages/batches/{id}"
    routes = [
        Route("/v1/messages", api.create_message, methods=["POST"]),
        Route("/v1/messages/count_tokens", api.count_tokens, methods=["POST"]),
        Route(batches, api.create_batch, methods=["POST"]),
        Route(batches, api.list_batches),
        Route(batch, api.retrieve_batch),
        Route(batch, api.delete_batch, methods=["DELETE"]),
        Route(f"{batch}/results", api.batch_results),
        Route(f"{batch}/cancel", api.cancel_batch, methods=["POST"]),
        Route("/v1/models", api.list_models),
        Route("/v1/models/{id}", api.retrieve_model),
        Route("/", control.about),
        Route("/sandbox/bill", control.bill),
        Route("/sandbox/log", control.log),
        Route("/sandbox/clock", control.clock),
        Route("/sandbox/clock", control.advance, methods=["POST"]),
        Route("/sandbox/faults", control.script, methods=["POST"]),
        Route("/sandbox/reset", control.reset, methods=["POST"]),
    ]
    handlers = {ApiError: _answer_error, HTTPException: _answer_http_error}
    return Gate(Starlette(routes=routes, exception_handlers=handlers), sandbox, hang_up)


class _Api:
    """The endpoints of the Claude API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def create_message(self, request: Request) -> Response:
        params = await _json_object(request, MOST_BYTES)
        now = self._sandbox.clock.now()
        sent = Sent(self._sandbox.new_id("msg"), request.headers["anthropic-version"], now, now)
        message = self._sandbox.messages.create(params, sent)
        if params.get("stream"):
            return StreamingResponse(events(message), media_type="text/event-stream")
        return JsonResponse(message)

    async def count_tokens(self, request: Request) -> Response:
        params = await _json_object(request, MOST_BYTES)
        return JsonResponse({"input_tokens": count_tokens(params, request.headers["anthropic-version"])})

    async def create_batch(self, request: Request) -> Response:
        body = await _json_object(request, MOST_BATCH_BYTES)
        now = self._sandbox.clock.now()
        batch = self._sandbox.batches.create(body, request.headers["anthropic-version"], now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def list_batches(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        shown = [batch.show(now, _base_url(request)) for batch in self._sandbox.batches.newest_first(now)]
        return JsonResponse(_page(shown, request.query_params))

    async def retrieve_batch(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        batch = self._sandbox.batches.get(request.path_params["id"], now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def batch_results(self, request: Request) -> Response:
        lines = self._sandbox.batches.results(request.path_params["id"], self._sandbox.clock.now())
        return StreamingResponse(_chunks(lines), media_type="application/x-jsonl")

    async def cancel_batch(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        batch = self._sandbox.batches.cancel(request.path_params["id"], now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def delete_batch(self, request: Request) -> Response:
        batch_id = request.path_params["id"]
        self._sandbox.batches.delete(batch_id, self._sandbox.clock.now())
        return JsonResponse({"id": batch_id, "type": "message_batch_deleted"})

    async def list_models(self, request: Request) -> Response:
        query = request.query_params
        stages = query.getlist("lifecycle") + query.getlist("lifecycle[]") or ["active", "deprecated"]
        shown = [model.info() for model in CATALOGUE.values() if model.lifecycle in stages]
        return JsonResponse(_page(shown, query))

    async def retrieve_model(self, request: Request) -> Response:
        model = find_model(request.path_params["id"])
        if model is None:
            raise ApiError(404, f"model: {request.path_params['id']}")
        return JsonResponse(model.info())


class _Control:
    """The endpoints that only a sandbox has."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def about(self, _request: Request) -> Response:
        return JsonResponse({"sandbox": True, "what": "Halfprice's loopback stand-in for the Claude API"})

    async def bill(self, _request: Request) -> Response:
        self._sandbox.batches.settle(self._sandbox.clock.now())
        return JsonResponse(self._sandbox.bill.report())

    async def log(self, _request: Request) -> Response:
        return JsonResponse(list(self._sandbox.log))

    async def clock(self, _request: Request) -> Response:
        clock = self._sandbox.clock
        return JsonResponse({"now": clock.now().isoformat().replace("+00:00", "Z"), "speed": clock.speed})

    async def advance(self, request: Request) -> Response:
        seconds = (await _json_object(request, MOST_BYTES)).get("advance_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
            raise invalid("advance_s: Input should be a number of seconds from 0 on")
        self._sandbox.clock.advance(seconds)
        return await self.clock(request)

    async def script(self, request: Request) -> Response:
        waiting = self._sandbox.faults.add(await _json(request, MOST_BYTES))
        return JsonResponse({"waiting": len(waiting)})

    async def reset(self, _request: Request) -> Response:
        self._sandbox.reset()
        return JsonResponse({"sandbox": True})


async def _json_object(request: Request, most: int) -> dict[str, Any]:
    document = await _json(request, most)
    if not isinstance(document, dict):
        raise invalid("The request body should be a JSON object")
    return document


async def _json(request: Request, most: int) -> object:
    body, size = bytearray(), 0
    async for chunk in request.stream():  # to its end: a client that still sends would not see the answer
        size += len(chunk)
        if size <= most:
            body += chunk
    if size > most:
        raise ApiError(413, "Request exceeds the maximum size")
    try:
        document: object = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise invalid("The request body is not valid JSON") from None
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _page(rows: Sequence[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of a list, as `limit`, `after_id` and `before_id` ask for it."""
    limit = query.get("limit", str(DEFAULT_ROWS))
    if not _LIMIT.fullmatch(limit) or int(limit) > MOST_ROWS:
        raise invalid(f"limit: Input should be a number from 1 to {MOST_ROWS}")
    position = {row["id"]: n for n, row in enumerate(rows)}
    for name in ("after_id", "before_id"):
        if name in query and query[name] not in position:
            raise invalid(f"{name}: {query[name]} is not known")
    if "before_id" in query:
        end = position[query["before_id"]]
        start = max(end - int(limit), 0)
        more = start > 0
    else:
        start = position[query["after_id"]] + 1 if "after_id" in query else 0
        end = start + int(limit)
        more = end < len(rows)
    data = list(rows[start:end])
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _chunks(lines: Sequence[bytes]) -> Iterator[bytes]:
    for start in range(0, len(lines), CHUNK_LINES):
        yield b"".join(lines[start : start + CHUNK_LINES])


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


async def _answer_error(request: Request, error: Any) -> Response:
    return error_response(error, request.scope["request_id"])


async def _answer_http_error(request: Request, error: Any) -> Response:
    return error_response(ApiError(error.status_code, error.detail), request.scope["request_id"])
