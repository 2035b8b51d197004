"""The HTTP routes of the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from core.sandbox.bodies import read_batch, read_object
from core.sandbox.control import Control
from core.sandbox.errors import ApiError
from core.sandbox.gate import Gate
from core.sandbox.messages import Sent, count_tokens
from core.sandbox.models import CATALOGUE, find_model
from core.sandbox.paging import page
from core.sandbox.sabotage import Line
from core.sandbox.state import Sandbox
from core.sandbox.stream import events
from core.sandbox.wire import JsonResponse, error_response

CHUNK_LINES = 200
"""Result lines that travel together."""

Endpoint = Callable[[Request], Awaitable[Response]]


def application(sandbox: Sandbox, line: Line) -> Gate:
    """The sandbox as an ASGI application."""
    api = _Api(sandbox)
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
        *Control(sandbox).routes(),
    ]
    handlers = {ApiError: _answer_error, HTTPException: _answer_http_error}
    return Gate(Starlette(routes=routes, exception_handlers=handlers), sandbox, line)


class _Api:
    """The endpoints of the Claude API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def create_message(self, request: Request) -> Response:
        params = await read_object(request)
        now = self._sandbox.clock.now()
        version, betas = _version(request)
        sent = Sent(self._sandbox.new_id("msg"), version, now, now, request.scope["workspace"], betas)
        answer = self._sandbox.messages.create(params, sent)
        if params.get("stream"):
            return StreamingResponse(
                _sent_one_by_one(events(answer.message, answer.first_usage)), media_type="text/event-stream"
            )
        return JsonResponse(answer.message)

    async def count_tokens(self, request: Request) -> Response:
        params = await read_object(request)
        return JsonResponse({"input_tokens": count_tokens(params, *_version(request), self._sandbox.clock.now())})

    async def create_batch(self, request: Request) -> Response:
        intake = await read_batch(request)
        now, batches = self._sandbox.clock.now(), self._sandbox.batches
        self._sandbox.account.check_queue(batches.waiting(now), len(intake.items))
        batch = batches.create(intake, request.scope["workspace"], *_version(request), now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def list_batches(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        rows = await self._sandbox.batches.newest_first(request.scope["workspace"], now)
        return JsonResponse(page([batch.show(now, _base_url(request)) for batch in rows], request.query_params))

    async def retrieve_batch(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        batch = await self._sandbox.batches.get(*_batch_of(request), now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def batch_results(self, request: Request) -> Response:
        lines = await self._sandbox.batches.results(*_batch_of(request), self._sandbox.clock.now())
        return StreamingResponse(_chunks(lines), media_type="application/x-jsonl")

    async def cancel_batch(self, request: Request) -> Response:
        now = self._sandbox.clock.now()
        batch = await self._sandbox.batches.cancel(*_batch_of(request), now)
        return JsonResponse(batch.show(now, _base_url(request)))

    async def delete_batch(self, request: Request) -> Response:
        await self._sandbox.batches.delete(*_batch_of(request), self._sandbox.clock.now())
        return JsonResponse({"id": request.path_params["id"], "type": "message_batch_deleted"})

    async def list_models(self, request: Request) -> Response:
        query, now = request.query_params, self._sandbox.clock.now()
        stages = query.getlist("lifecycle") + query.getlist("lifecycle[]") or ["active", "deprecated"]
        shown = [model.info(now) for model in CATALOGUE.values() if model.lifecycle(now) in stages]
        return JsonResponse(page(shown, query))

    async def retrieve_model(self, request: Request) -> Response:
        model = find_model(request.path_params["id"])
        if model is None:
            raise ApiError(404, f"model: {request.path_params['id']}")
        return JsonResponse(model.info(self._sandbox.clock.now()))


async def _sent_one_by_one(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Parts for a response; made where the sandbox runs, so that it is never in two threads."""
    for part in parts:
        yield part


async def _chunks(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := b"".join(islice(lines, CHUNK_LINES)):
        yield chunk


def _version(request: Request) -> tuple[str, str]:
    """The API version and the betas that a request asks for."""
    return request.headers["anthropic-version"], request.headers.get("anthropic-beta", "")


def _batch_of(request: Request) -> tuple[str, str]:
    return request.path_params["id"], request.scope["workspace"]


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


async def _answer_error(request: Request, error: Any) -> Response:
    return error_response(error, request.scope["request_id"])


async def _answer_http_error(request: Request, error: Any) -> Response:
    return error_response(ApiError(error.status_code, error.detail), request.scope["request_id"])
