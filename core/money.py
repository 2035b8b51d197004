"""How an exact amount of money is written down outside Python."""

from decimal import Decimal


def plain_usd(amount: Decimal) -> str:
    """The amount in USD as plain decimal text: every digit, no exponent, no trailing zeros.

    >>> plain_usd(Decimal("0.010500000000")), plain_usd(Decimal("1E+3")), plain_usd(Decimal("0E-12"))
    ('0.0105', '1000', '0')
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text
