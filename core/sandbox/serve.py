"""Runs the sandbox on a loopback port."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import socket
import struct
import threading
import time
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from core.errors import HalfpriceError
from core.sandbox.app import application
from core.sandbox.state import Options, Sandbox

HOST = "127.0.0.1"
KEY = "sandbox"
"""Any key will do; this one says what it opens."""
_PATIENCE_SECONDS = 20


class PortNotFree(HalfpriceError):
    """The port that was asked for cannot be opened."""

    def __init__(self, port: int, error: OSError) -> None:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
        super().__init__(f"Port {port} {why}. Choose another one with --port.")


class Handle:
    """A sandbox that runs in a thread of this process until it is closed."""

    def __init__(self, port: int, options: Options) -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._connections = connections = _Connections()
        config = uvicorn.Config(
            application(Sandbox(options), connections),
            http=connections.protocol(),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,  # the logging of this process is not ours to set up
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,  # longer than a client keeps a connection, so that none is closed under a request
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        if not self._server.started:
            raise RuntimeError("the sandbox server did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; twice is once."""
        self._connections.closing = True
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def bill(self) -> dict[str, Any]:
        """What was charged so far; amounts are exact decimal text."""
        report: dict[str, Any] = self.control("GET", "bill")
        return report

    def advance(self, seconds: float) -> None:
        """Move the sandbox clock forward."""
        self.control("POST", "clock", {"advance_s": seconds})

    def now(self) -> datetime:
        """The time on the sandbox clock."""
        return datetime.fromisoformat(self.control("GET", "clock")["now"])

    def script(self, *faults: dict[str, Any]) -> None:
        """Make these faults happen, in this order; see `core.sandbox.faults`."""
        self.control("POST", "faults", list(faults))

    def fail_at_random(self, **schedule: Any) -> None:
        """Make faults happen by chance from now on; see `core.sandbox.random_faults`."""
        self.control("POST", "faults", {"random": schedule})

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.control("DELETE", "faults")

    def script_batch(self, **fate: Any) -> None:
        """Decide what becomes of the next batches or, with an `id`, of a running one; see `core.sandbox.fates`."""
        self.control("POST", "batches", fate)

    def batches(self) -> list[dict[str, Any]]:
        """Every batch of every workspace, the oldest first, also those that the API does not show."""
        rows: list[dict[str, Any]] = self.control("GET", "batches")
        return rows

    def account(self, **changes: Any) -> dict[str, Any]:
        """How the account stands, after these changes; see `core.sandbox.account`."""
        standing: dict[str, Any] = self.control("POST" if changes else "GET", "account", changes or None)
        return standing

    def log(self) -> list[dict[str, Any]]:
        """Every API request served so far, in the order in which they were answered."""
        entries: list[dict[str, Any]] = self.control("GET", "log")
        return entries

    def reset(self) -> None:
        """Start again from nothing."""
        self.control("POST", "reset")

    def control(self, method: str, name: str, document: object = None) -> Any:
        """Call one of the endpoints under `/sandbox`."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=600)
        try:
            connection.request(method, f"/sandbox/{name}", None if document is None else json.dumps(document))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ValueError(answer["error"]["message"])
        return answer


def serve_in_thread(
    port: int = 0,
    *,
    seed: str = "0",
    start: datetime | None = None,
    speed: float = 1.0,
    batch_seconds: float | None = None,
    missing_seconds: float = 0.0,
    tier: str | None = None,
    spend_limit_usd: str | None = None,
    balance_usd: str | None = None,
    fault_rate: float = 0.0,
) -> Handle:
    """A running sandbox on its own port (0: any free one), to be closed or used as a context; see `Options`."""
    money = tier, spend_limit_usd, balance_usd
    return Handle(port, Options(seed, start, speed, batch_seconds, missing_seconds, *money, fault_rate))


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio then sets TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortNotFree(port, error) from None
    return listener


class _Connections:
    """The open connections by client, so that a fault can end or hold one."""

    def __init__(self) -> None:
        self.closing = False
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    async def wait(self, seconds: float) -> None:
        """Let real time pass, unless the server is to stop."""
        until = time.monotonic() + seconds
        while not self.closing and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))

    def hang_up(self, client: tuple[str, int], *, broken: bool) -> None:
        """End a connection once what was sent has left, or break it: the client then reads a reset."""
        transport = self._transports.get(client)
        if transport is None:
            return  # the client was faster
        if broken:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's HTTP protocol, which also notes its connections here."""
        transports = self._transports

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[transport.get_extra_info("peername")] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        return Protocol
