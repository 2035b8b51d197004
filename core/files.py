"""Files in a home that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from core.capture.files import flush_folder


def write_whole(path: Path, content: bytes) -> None:
    """Replace a private file in one step that survives a power cut; OSError leaves the old one as it was."""
    write_parts(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """The same from parts that come one by one; if they break off, the old file stays and nothing else does."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    flush_folder(path.parent)
