"""The ids that Halfprice mints itself."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import datetime


def new_request_id() -> str:
    """A fresh UUIDv7 (RFC 9562 §5.7): sorts by the millisecond in which it was made.

    >>> new_request_id()[14]
    '7'
    """
    random = int.from_bytes(os.urandom(10))
    return _uuid7(time.time_ns() // 1_000_000, random >> 68, random & (1 << 62) - 1)


def item_id(batch_id: str, custom_id: str, created_at: datetime) -> str:
    """The request id of a batch item: a UUIDv7 of the batch's creation that is the same however often it is collected.

    >>> item_id("msgbatch_1", "a", datetime.fromisoformat("2026-11-01T00:00:00Z"))
    '01a19467-e800-79d4-9429-fa2bf696f397'
    """
    digest = int.from_bytes(hashlib.sha256(f"{batch_id}/{custom_id}".encode()).digest()[:16])
    return _uuid7(int(created_at.timestamp() * 1_000), digest >> 116, digest & (1 << 62) - 1)


def _uuid7(milliseconds: int, random_a: int, random_b: int) -> str:
    head = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | random_a << 64
    text = f"{head | 0b10 << 62 | random_b:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
