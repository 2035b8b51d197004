"""The process of `halfprice demo` and `halfprice dashboard`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

from core.cli.show import add_arguments
from core.errors import HalfpriceError
from core.ledger import Ledger
from core.settings import find_home
from dashboard.demo import demo
from dashboard.ports import choose_port


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped; 0 then, 1 with one sentence when it cannot start."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # the server knows how to end on that
    try:
        _serve(_parser().parse_args(argv))
    except HalfpriceError as error:
        print(f"halfprice: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def _serve(args: argparse.Namespace) -> None:
    port = choose_port(args.port)
    with _demo() if args.command == "demo" else nullcontext(Ledger(find_home()).sync()):
        from dashboard.launch import serve  # slow to import, and what is wrong with the home is said without it

        serve(port, _tell if args.no_browser else _tell_and_open)


@contextmanager
def _demo() -> Iterator[None]:
    print("Synthetic sample data: nothing here was measured, no key is needed. Getting it ready …", flush=True)
    with demo() as running:
        print(f"What is launched goes to a sandbox, not to the Claude API: {running.api_url}", flush=True)
        yield


def _tell(url: str) -> None:
    print(f"Halfprice is at {url} (stop it with Ctrl-C)", flush=True)


def _tell_and_open(url: str) -> None:
    _tell(url)
    # Without a screen a browser in text mode would take over the terminal.
    if sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Stop as after Ctrl-C, so that a demo removes its folder."""
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve the dashboard on this computer.")
    parser.add_argument("command", choices=("demo", "dashboard"))
    add_arguments(parser, "dashboard")
    return parser


if __name__ == "__main__":
    sys.exit(main())
