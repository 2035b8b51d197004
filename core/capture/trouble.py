"""Keeps trouble with recording away from the program that is recorded."""

from __future__ import annotations

import logging
from types import TracebackType

_log = logging.getLogger("halfprice")
_said: dict[object, object] = {}


def warn_once(about: object, message: str) -> None:
    """Log one warning about a matter for the life of this process.

    Logged, not warned: a program that turns warnings into errors would fail because of a recorder.
    """
    mine = object()
    if _said.setdefault(about, mine) is mine:  # atomic; a lock could be held where a log handler or a fork comes in
        _log.warning("%s", message)


class _Quietly:
    """A block of the recorder's own work that must not reach the program: a bug in it costs a record, not a call."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{at.tb_frame.f_code.co_filename}, line {at.tb_lineno}" if at else "an unknown place"
        what = f"A request could not be recorded, because of a bug in Halfprice: {type(error).__name__} in {where}."
        warn_once((kind, where), f"{what} Your program is not affected. Please report it.")
        return True


QUIETLY = _Quietly()
"""The one boundary at which any exception ends; only around work that the caller did not ask for."""
