"""The port that the dashboard listens on."""

from __future__ import annotations

import errno
import socket

from core.errors import HalfpriceError

DEFAULT = 8501
ADDRESS = "127.0.0.1"
TRIES = 100


def choose_port(wanted: int | None) -> int:
    """The wanted port, or without a wish the first free one from the default on; HalfpriceError if there is none."""
    if wanted is not None:
        if reason := _why_not(wanted):
            raise HalfpriceError(f"Port {wanted} cannot be used: {reason}. Choose another one with --port.")
        return wanted
    for port in range(DEFAULT, DEFAULT + TRIES):
        if not _why_not(port):
            return port
    raise HalfpriceError(f"No port from {DEFAULT} to {DEFAULT + TRIES - 1} is free. Choose one with --port.")


def _why_not(port: int) -> str | None:
    """Why a port cannot be had; None if it can.

    Both loopback addresses have to be free: a browser may take `localhost` for either.
    """
    for family, address in ((socket.AF_INET, ADDRESS), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "it is in use"
            if family == socket.AF_INET:
                return error.strerror or str(error)
            # else this machine has no IPv6, so nobody can be in the way there
    return None
