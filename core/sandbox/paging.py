"""Lists as the API pages them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.sandbox.errors import invalid

MOST_ROWS, DEFAULT_ROWS = 1_000, 20
_LIMIT = re.compile("[1-9][0-9]{0,3}")


def page(rows: Sequence[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of a list, as `limit`, `after_id` and `before_id` ask for it; ApiError if they are no such thing.

    >>> page([{"id": "a"}, {"id": "b"}, {"id": "c"}], {"limit": "1", "after_id": "a"})
    {'data': [{'id': 'b'}], 'has_more': True, 'first_id': 'b', 'last_id': 'b'}
    """
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
