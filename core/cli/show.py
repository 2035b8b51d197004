"""`halfprice demo` and `halfprice dashboard`: hand over to the dashboard's own process."""

from __future__ import annotations

import argparse
import os
import sys

_PORTS = range(1, 65_536)


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument("--port", type=_port, metavar="N", help="default 8501, or the next one that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def run(args: argparse.Namespace) -> int:
    """Become the dashboard; it runs until it is stopped.

    `-P` keeps the working directory out of the module search: a folder with a `dashboard` of its own is not meant.
    """
    command = [sys.executable, "-P", "-m", "dashboard", args.command]
    if args.port is not None:
        command += ["--port", str(args.port)]
    if args.no_browser:
        command.append("--no-browser")
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 (replaces this process: nothing in between to stop or to outlive)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port. Use a number from 1 to 65535.")
    return int(text)
