"""The lines of the table that `make bench` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: what, ours, the peer of the same run, their ratio, the limit and whether it holds."""

    name: str
    ours: str
    peer: str
    ratio: float
    limit: str
    holds: bool
