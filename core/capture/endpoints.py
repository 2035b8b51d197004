"""Tells which requests of a client are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

_PATH = re.compile(r"/v1/messages(?:/batches(?:/(?P<id>[^/]+)(?:/(?P<verb>results|cancel))?)?)?/?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request is about; `creates` for a new batch, whose id its answer tells."""

    about: Literal["message", "batch", "results"]
    batch_id: str = ""
    creates: bool = False


@lru_cache(maxsize=256)
def find_endpoint(method: str, url: str) -> Endpoint | None:
    """The endpoint of a request that is recorded; None for any other, such as counting tokens or a list of batches.

    A list shows every program's batches, also those that nobody here can label, and nothing that a look at one does
    not show better.

    >>> find_endpoint("POST", "/v1/messages?beta=true")
    Endpoint(about='message', batch_id='', creates=False)
    >>> find_endpoint("get", "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results").about
    'results'
    >>> find_endpoint("get", "/v1/messages/batches"), find_endpoint("post", "/v1/messages/count_tokens")
    (None, None)
    """
    path = urlsplit(url).path
    found = _PATH.fullmatch(path, max(path.rfind("/v1/messages"), 0))
    if found is None:
        return None
    batch_id, verb, way = found["id"], found["verb"], method.upper()
    if "/batches" not in found[0]:
        return Endpoint("message") if way == "POST" else None
    if batch_id is None:
        return Endpoint("batch", creates=True) if way == "POST" else None
    if verb == "results":
        return Endpoint("results", batch_id) if way == "GET" else None
    return Endpoint("batch", batch_id) if way == ("POST" if verb else "GET") else None
