"""Records the requests that a program sends with the Anthropic SDK: their usage, never their content.

from halfprice import recorded
client = recorded(anthropic.Anthropic(), workload="support-chat")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .labels import workload

if TYPE_CHECKING:
    from .client import recorded
    from .middleware import Recording, recording

__version__ = "0.1.0"
__all__ = ["Recording", "recorded", "recording", "workload"]


def __getattr__(name: str) -> object:
    """Import what needs the SDK when it is asked for: the journal alone must not cost that."""
    if name == "recorded":
        from .client import recorded

        return recorded
    if name in ("Recording", "recording"):
        from . import middleware

        return getattr(middleware, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
