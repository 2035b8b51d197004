"""Takes the lines of this process to the journal of a home."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from .home import HomeProblem, Kind, mark_home, refuse_other_kind
from .journal import Journal, journal_line
from .trouble import QUIETLY, warn_once

Line = Mapping[str, Any]
MOST_AT_ONCE = 1_000
"""Posts that the writer takes together, so that they share one flush."""
EXIT_S = 30.0
"""How long the end of the program waits for the writer; a disk that hangs longer than that takes nothing."""


class Noted(NamedTuple):  # made on every call, and cheaper than a frozen dataclass
    """Lines to record, and whose answers they are about: None when nothing answered."""

    lines: Sequence[Line] = ()
    kind: Kind | None = None


NOTHING = Noted()


class Unfinished(Protocol):
    """Something that still has lines to give when the program ends."""

    def abandon(self) -> Noted:
        """What is known, for the record; nothing more will come."""


@dataclass(frozen=True, slots=True)
class _Post:
    noted: Noted
    written: Future[None] = field(default_factory=Future)


class Sink:
    """The way into one home; threads share it. Whatever goes wrong is a warning, never an exception."""

    def __init__(self, home: Path, *, durable: bool) -> None:
        self._home = home
        self._journal = Journal(home, durable=durable)
        self._kind: Kind | None = None
        self.start_anew()

    def start_anew(self) -> None:
        """In a forked child: what waits or is unfinished is the parent's, and so is its writer."""
        self._ended = False
        self._queue: SimpleQueue[_Post | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._starting = threading.RLock()
        self._unfinished: weakref.WeakValueDictionary[int, Unfinished] = weakref.WeakValueDictionary()

    def write(self, noted: Noted) -> None:
        """Write now; when this returns the lines survive a crash, or one warning has said why they do not."""
        if noted.lines:
            with QUIETLY:
                self._append([noted])

    def post(self, noted: Noted) -> Future[None]:
        """Hand the lines to the writer thread and do not wait; done when they survive a crash."""
        if not noted.lines:
            return _DONE
        post = _Post(noted)
        self._queue.put(post)  # reentrant, so it is safe also where the garbage collector runs this
        if self._ended:
            self._write_waiting()
        else:
            self.start_writer()
        return post.written

    def watch(self, unfinished: Unfinished) -> None:
        """Ask this for its lines when the program ends, if it still lives then."""
        self._unfinished[id(unfinished)] = unfinished

    def start_writer(self) -> None:
        """Have the writer thread run, which a program with only synchronous clients never needs."""
        if self._writer is None:
            with self._starting:
                if self._writer is None:
                    writer = threading.Thread(target=self._write_posts, name="halfprice-writer", daemon=True)
                    writer.start()
                    self._writer = writer

    def close(self) -> None:
        """At the end of the program: write what is unfinished or waits; from then on a post is written at once."""
        for unfinished in [each() for each in self._unfinished.valuerefs()]:
            if unfinished is not None:
                self.write(unfinished.abandon())
        self._ended = True
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join(EXIT_S)
        self._write_waiting()

    def _write_posts(self) -> None:
        """The writer thread: whatever waits is written together."""
        while (post := self._queue.get()) is not None:
            self._write_waiting(post)

    def _write_waiting(self, first: _Post | None = None) -> None:
        posts = [first] if first else []
        while len(posts) < MOST_AT_ONCE:
            try:
                post = self._queue.get_nowait()
            except Empty:
                break
            if post is None:
                self._queue.put(None)  # still to be read by the thread that it ends
                break
            posts.append(post)
        with QUIETLY:
            self._append([post.noted for post in posts])
        for post in posts:
            if post.written.set_running_or_notify_cancel():  # who waited may have been cancelled; the line is written
                post.written.set_result(None)

    def _append(self, noted: Sequence[Noted]) -> None:
        try:
            taken = [line for each in noted if self._takes(each.kind) for line in each.lines]
            self._journal.append_lines([text for line in taken if (text := _text(line))])
        except OSError as error:
            why = f"{error.strerror}: {error.filename or self._home}" if error.strerror else str(error)
            what = f"Requests are not recorded, because the journal cannot be written ({why})."
            warn_once(
                (self._home, "journal"), f"{what} Your calls are not affected, but the ledger will not know them."
            )

    def _takes(self, kind: Kind | None) -> bool:
        """Whether the home takes answers of that kind; a new home becomes one for it. OSError if it cannot be told."""
        if kind is None or kind == self._kind:
            return True
        try:
            if self._kind is None:
                mark_home(self._home, kind)
                self._kind = kind
            refuse_other_kind(self._home, kind)
        except HomeProblem as problem:
            warn_once((self._home, kind), f"Requests are not recorded: {problem}")
            return False
        return True


def _text(line: Line) -> bytes:
    try:
        return journal_line(line)
    except (ValueError, TypeError, RecursionError) as error:
        warn_once("text", f"A request could not be recorded, because its answer cannot be written down: {error}.")
        return b""


_DONE: Future[None] = Future()
_DONE.set_result(None)
_sinks: dict[tuple[Path, bool], Sink] = {}


def find_sink(home: Path, *, durable: bool) -> Sink:
    """The one sink of this process for a home."""
    found = _sinks.get((home, durable))
    return found or _sinks.setdefault((home, durable), Sink(home, durable=durable))


async def written(future: Future[None]) -> None:
    """Wait, without a thread of the event loop being blocked, until posted lines survive a crash."""
    if future.done():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # an event loop of another make, such as trio's
        import anyio.to_thread

        await anyio.to_thread.run_sync(future.result)
    else:
        await asyncio.wrap_future(future)


def _close_all() -> None:
    for sink in list(_sinks.values()):
        with QUIETLY:
            sink.close()


def _after_fork() -> None:
    for sink in _sinks.values():
        sink.start_anew()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
