"""Text from data on a terminal."""

from __future__ import annotations

from core.facts import Gone


def printable(text: str) -> str:
    """The text without what would move the cursor or change colours.

    >>> printable("a\\nb\\x1b[31mred")
    'a�b�[31mred'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def lacking(gone: Gone) -> str:
    """What a ledger lacks that was made anew, and what to do.

    >>> from datetime import UTC, datetime
    >>> lacking(Gone(1200, datetime(2026, 10, 3, tzinfo=UTC)))[:66]
    'The ledger was made anew from the journals, which no longer held 1'
    """
    return (
        f"The ledger was made anew from the journals, which no longer held {gone.lines:,} lines written up to "
        f"{gone.until:%Y-%m-%d}. Amounts before that day are too low; restore a backup if you have one."
    )
