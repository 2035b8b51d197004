"""Text from data on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text without what would move the cursor or change colours.

    >>> printable("a\\nb\\x1b[31mred")
    'a�b�[31mred'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
