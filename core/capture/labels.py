"""The labels under which requests are recorded: a workload, and tags of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # what files and databases cannot hold


@dataclass(frozen=True, slots=True)
class Labels:
    """What a request is recorded under; a workload of None is not said. Tags are text by name."""

    workload: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def under(self, inner: Labels) -> Labels:
        """These labels where the inner ones say nothing else.

        >>> Labels("chat", {"app": "shop", "user": "a"}).under(Labels(None, {"user": "b"}))
        Labels(workload='chat', tags={'app': 'shop', 'user': 'b'})
        """
        if inner is _NONE:
            return self
        return Labels(inner.workload or self.workload, {**self.tags, **inner.tags})


_NONE = Labels()
_inside: ContextVar[Labels] = ContextVar("halfprice_labels", default=_NONE)


def make_labels(workload: str | None, tags: Mapping[str, str] | None) -> Labels:
    """The labels as given; TypeError or ValueError for what cannot be one.

    >>> make_labels("support-chat", {"customer": 7})
    Traceback (most recent call last):
    TypeError: tags must be text by name, but 'customer' is 7
    """
    for name, value in (tags or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"tags must be text by name, but {name!r} is {value!r}")
    if workload is not None and not isinstance(workload, str):
        raise TypeError(f"workload must be text, not {workload!r}")
    if workload is not None and not workload.strip():
        raise ValueError("workload is empty; leave it out if the requests have none")
    for text in (workload or "", *(tags or {}).keys(), *(tags or {}).values()):
        if _NOT_TEXT.search(text):
            raise ValueError(f"{text!r} cannot be a label: it holds a NUL or half of a surrogate pair")
    return Labels(workload, dict(tags or {}))


def current_labels() -> Labels:
    """The labels of the `workload` blocks around this point."""
    return _inside.get()


def workload(name: str, *, tags: Mapping[str, str] | None = None) -> AbstractContextManager[None]:
    """Record the requests inside the block under this workload, with these tags beside those of outer blocks.

    Tasks and `asyncio.to_thread` that start inside take the labels along. A thread of a pool does not: label the
    client there. TypeError or ValueError, at once, for what cannot be a label.
    """
    return _labelled(make_labels(name, tags))


@contextmanager
def _labelled(labels: Labels) -> Iterator[None]:
    token = _inside.set(_inside.get().under(labels))
    try:
        yield
    finally:
        _inside.reset(token)
