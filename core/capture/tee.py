"""Lets a reader see the body of an answer while the program reads it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from datetime import timedelta
from typing import Protocol

import httpx2

from .readers import How, Reader
from .sink import NOTHING, Line, Noted, Sink, written
from .trouble import QUIETLY


class Decoder(Protocol):
    """Undoes the content encoding of a body."""

    def decode(self, data: bytes) -> Iterable[bytes]:
        """The content that these bytes add."""


class Watch:
    """One body and its reader: what is seen of it becomes records, the first end that is reported counts."""

    def __init__(self, reader: Reader, sink: Sink, decoder: Decoder | None = None) -> None:
        self.sink = sink
        self._reader = reader
        self._decoder = decoder
        self._pid = os.getpid()
        self.has_ended = False

    def saw(self, data: bytes) -> Noted:
        """What these bytes of the body, still encoded, made certain."""
        with QUIETLY:
            parts = self._decoder.decode(data) if self._decoder else (data,)
            return self._noted([line for part in parts for line in self._reader.feed(part)])
        return NOTHING

    def ended(self, how: How, error: BaseException | None = None) -> Noted:
        """What is known now that no more comes; in a forked child nothing, because the body is the parent's."""
        if not self.has_ended and os.getpid() == self._pid:
            self.has_ended = True
            with QUIETLY:
                return self._noted(self._reader.end(how, error))
        return NOTHING

    def abandon(self) -> Noted:
        """What is known at the end of the program."""
        return self.ended("closed")

    def _noted(self, lines: list[Line]) -> Noted:
        return Noted(lines, self._reader.kind)


class Tee(httpx2.SyncByteStream):
    """The body of an answer to a synchronous client."""

    def __init__(self, body: httpx2.SyncByteStream, watch: Watch) -> None:
        self._body = body
        self._watch = watch
        watch.sink.watch(watch)

    @property
    def elapsed(self) -> timedelta | None:
        """What `httpx2.Response.elapsed` looks for here."""
        return getattr(self._body, "elapsed", None)

    def __iter__(self) -> Iterator[bytes]:
        """The bytes of the body; what they say is recorded before the program has them."""
        sink, watch = self._watch.sink, self._watch
        try:
            for data in self._body:
                sink.write(watch.saw(data))
                yield data
        except Exception as error:
            sink.write(watch.ended("failed", error))
            raise
        sink.write(watch.ended("read"))

    def close(self) -> None:
        """Close the body; what was not read by now never will be."""
        try:
            self._watch.sink.write(self._watch.ended("closed"))
        finally:
            self._body.close()

    def __del__(self) -> None:
        self._watch.sink.write(self._watch.ended("closed"))  # where the program dropped it without a word


class AsyncTee(httpx2.AsyncByteStream):
    """The same for an asynchronous client: nothing is written on its event loop."""

    def __init__(self, body: httpx2.AsyncByteStream, watch: Watch) -> None:
        self._async_body = body
        self._watch = watch
        watch.sink.watch(watch)
        watch.sink.start_writer()  # here, because the garbage collector should start no thread

    @property
    def elapsed(self) -> timedelta | None:
        """What `httpx2.Response.elapsed` looks for here."""
        return getattr(self._async_body, "elapsed", None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes of the body; what they say is recorded before the program has them."""
        sink, watch = self._watch.sink, self._watch
        chunks = self._async_body.__aiter__()
        try:
            async for data in chunks:
                await written(sink.post(watch.saw(data)))
                yield data
        except Exception as error:
            await written(sink.post(watch.ended("failed", error)))
            raise
        finally:
            # In the task that read it; left to itself the event loop would close it in a task of its own.
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        await written(sink.post(watch.ended("read")))

    async def aclose(self) -> None:
        """Close the body; what was not read by now never will be."""
        try:
            await written(self._watch.sink.post(self._watch.ended("closed")))
        finally:
            await self._async_body.aclose()

    def __del__(self) -> None:
        self._watch.sink.post(self._watch.ended("closed"))


def find_decoder(response: httpx2.Response) -> Decoder | None:
    """A decoder of its own for a body that is encoded; what passes through a tee is not decoded yet."""
    encoding = response.headers.get("content-encoding")
    if encoding in (None, "", "identity"):
        return None
    twin = httpx2.Response(200, headers={"content-encoding": encoding}, stream=httpx2.SyncByteStream())
    return twin._get_content_decoder()
