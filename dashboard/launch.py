"""The dashboard's server: Streamlit with our headers, our words for errors and a warm start."""

from __future__ import annotations

import http.client
import sys
import threading
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# Not left to the warm-up thread: Plotly looks at whatever part of pandas another thread has loaded so far.
import pandas as pd  # noqa: F401
import streamlit as st
import uvicorn.config
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import HalfpriceError
from core.periods import month_of
from core.settings import find_home
from dashboard.collector import COLLECTOR
from dashboard.formats import md
from dashboard.ports import ADDRESS
from dashboard.sending import SENDER

APP = Path(__file__).with_name("app.py")
HOSTS = ["localhost", ADDRESS]
ANSWER_WAIT_S = 60

# Streamlit's one inline script (a marker for crawlers) is refused by this, which does no harm.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' ws://localhost:* ws://127.0.0.1:*; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def serve(port: int, ready: Callable[[str], None]) -> None:
    """Answer on that port of this computer until stopped; `ready` gets the address once it answers there."""
    uvicorn.config.LOGGING_CONFIG["loggers"]["uvicorn"]["level"] = "WARNING"
    sys.argv = [str(APP)]  # Streamlit looks for its configuration beside this
    app = st.App(
        APP,
        lifespan=lambda _app: _beside(port, ready),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(_WithHeaders)],
        on_script_error=_say_it_plainly,
    )
    app.run(config=_options() | {"server.port": port})


@asynccontextmanager
async def _beside(port: int, ready: Callable[[str], None]) -> AsyncIterator[None]:
    """What runs beside the server from its start on."""
    threading.Thread(target=_tell, args=(port, ready), daemon=True).start()
    threading.Thread(target=_warm_up, daemon=True).start()
    COLLECTOR.start(find_home())
    yield
    SENDER.end()
    COLLECTOR.end()


def _tell(port: int, ready: Callable[[str], None]) -> None:
    if _answers(port):
        ready(f"http://localhost:{port}")


def _answers(port: int) -> bool:
    deadline = time.monotonic() + ANSWER_WAIT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=ANSWER_WAIT_S)
        try:
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == http.client.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass  # not yet
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def _warm_up() -> None:
    """Pay for the slow imports and the first answers before the first visitor does."""
    from dashboard import queries  # not before the runtime is there, which its caches look for

    import_module("pandas.io.formats.style")
    with suppress(HalfpriceError):  # the page will say it
        if known := queries.extent():
            queries.month(month_of(known.newest_day), known)
            queries.batches()


def _say_it_plainly(error: Exception) -> bool:
    """Show a sentence instead of a traceback, which Streamlit writes to the terminal."""
    st.error(
        f"{md(type(error).__name__)}: the details are in the terminal in which Halfprice runs. Your data is untouched.",
        title="Halfprice met an error of its own",
    )
    return True


def _options() -> dict[str, Any]:
    """Every option of our configuration file as an override, so that no variable or file of the user's loosens one."""
    with (APP.parent / ".streamlit" / "config.toml").open("rb") as file:
        return dict(_flat(tomllib.load(file)))


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class _WithHeaders:
    """Puts our headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
