"""Files in a home that are either whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

from core.capture.journal import flush_folder


def write_whole(path: Path, content: bytes) -> None:
    """Replace a private file in one step that survives a power cut; OSError leaves the old one as it was."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    put_in_place(beside, path)


def put_in_place(beside: Path, path: Path) -> None:
    """Give a finished file its name, durably."""
    beside.replace(path)
    flush_folder(path.parent)
