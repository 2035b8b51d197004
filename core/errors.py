"""Errors whose text is written for the person who has to act on it."""


class HalfpriceError(Exception):
    """Something the user can mend; the message says what, where and what to do."""

    exit_code = 1


class UsageError(HalfpriceError):
    """The command was called in a way that cannot work."""

    exit_code = 2
