"""The ids that Halfprice mints itself."""

from __future__ import annotations

import secrets
import time
import uuid


def new_request_id() -> str:
    """A fresh UUIDv7 (RFC 9562 §5.7): sorts by the millisecond in which it was made.

    >>> uuid.UUID(new_request_id()).version
    7
    """
    milliseconds = time.time_ns() // 1_000_000
    head = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=head | 0b10 << 62 | secrets.randbits(62)))
