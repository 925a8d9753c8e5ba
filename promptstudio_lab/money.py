"""Money is whole nano-dollars: equality is exact, and sums agree on every engine.

A price of $0.075 a million tokens is 75 nano-dollars a token; a BIGINT holds nine billion dollars.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000


def usd(amount: float | str | Decimal) -> NanoUsd:
    """Return `amount` dollars as whole nano-dollars, rounded half to even.

    Raises:
        ValueError: if the amount is not a finite number.

    >>> usd("0.015")
    15000000
    """
    try:
        exact = Decimal(str(amount))
    except InvalidOperation:
        exact = Decimal("nan")
    if not exact.is_finite():
        message = f"{amount!r} is not an amount of money"
        raise ValueError(message)
    return NanoUsd(int((exact * NANO_PER_USD).to_integral_value(ROUND_HALF_EVEN)))


def to_usd(nano: int) -> float:
    """Return nano-dollars as dollars, for frames and charts.

    >>> to_usd(usd(2))
    2.0
    """
    return nano / NANO_PER_USD


def format_usd(nano: float | None) -> str:
    """Return money as a person reads it: three significant digits, or `unknown`.

    >>> format_usd(usd("12.3456")), format_usd(usd("0.00012345")), format_usd(0), format_usd(None)
    ('$12.35', '$0.000123', '$0', 'unknown')
    """
    if nano is None or not math.isfinite(nano):
        return "unknown"
    amount = nano / NANO_PER_USD
    if amount == 0:
        return "$0"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size >= 1:
        return f"{sign}${size:,.2f}"
    digits = max(2, 2 - int(f"{size:e}".split("e")[1]))
    return f"{sign}${size:.{digits}f}"
