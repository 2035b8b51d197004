"""What the sandbox puts on the wire, whatever the endpoint."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.sandbox.errors import ApiError


class JsonResponse(Response):
    """A JSON answer in ASCII, because what a request held may come back in it, half a surrogate pair, too."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":")).encode()


def error_response(error: ApiError, request_id: str) -> JsonResponse:
    """An error as the API answers it."""
    return JsonResponse(error.body(request_id), error.status, error.headers)


async def discard(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Read a request to its end: a client that still sends would not see the answer."""
    while (await receive()).get("more_body"):
        pass
