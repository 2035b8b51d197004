"""Reads the bodies of requests."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from core.sandbox.errors import ApiError, invalid
from core.sandbox.intake import BatchIntake, refuse_constant

MEGABYTE = 1024 * 1024
MOST_BYTES = 32 * MEGABYTE
MOST_BATCH_BYTES = 256 * MEGABYTE


async def read_json(request: Request) -> object:
    """The JSON value of a body of at most MOST_BYTES; ApiError if it is longer or not JSON."""
    body, size = bytearray(), 0
    async for chunk in request.stream():  # to its end: a client that still sends would not see the answer
        size += len(chunk)
        if size <= MOST_BYTES:
            body += chunk
    if size > MOST_BYTES:
        raise ApiError(413, "Request exceeds the maximum size")
    try:
        document: object = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise invalid("The request body is not valid JSON") from None
    return document


async def read_object(request: Request) -> dict[str, Any]:
    """The same, which has to be an object."""
    document = await read_json(request)
    if not isinstance(document, dict):
        raise invalid("The request body should be a JSON object")
    return document


async def read_batch(request: Request) -> BatchIntake:
    """The items of a batch, read as they come; ApiError, once the client has sent all, for what no batch can hold."""
    intake, size, problem = BatchIntake(), 0, None
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BATCH_BYTES:
            problem = ApiError(413, "Request exceeds the maximum size")
        elif problem is None:
            try:
                intake.feed(chunk)
            except ApiError as error:
                problem = error
    if problem is not None:
        raise problem
    intake.close()
    return intake
