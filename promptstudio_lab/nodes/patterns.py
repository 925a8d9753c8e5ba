"""Regular expressions of flows: matched in linear time, so that no text can hold a run up.

The engine is Rust's, by way of polars: it has no look-around and no references back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import ExpressionRefused

if TYPE_CHECKING:
    import polars as pl

LONGEST = 1_000


def found(pattern: str, text: str) -> bool:
    r"""Tell whether a pattern is found anywhere in a text.

    Raises:
        ExpressionRefused: if it is no pattern.

    >>> found(r"^\d+$", "12"), found(r"^\d+$", "12a")
    (True, False)
    """
    from polars.exceptions import ComputeError

    try:
        return bool(_column(pattern, text).str.contains(pattern)[0])
    except ComputeError as error:
        raise _refused(pattern, error) from None


def extracted(pattern: str, text: str, group: int = 0) -> str | None:
    r"""Return what a group of a pattern caught first, or None where nothing fits.

    Args:
        pattern: the regular expression.
        text: where to look.
        group: which pair of brackets; 0 for all of it.

    Raises:
        ExpressionRefused: if it is no pattern.

    >>> extracted(r"order (\d+)", "see order 12", 1), extracted("x", "y")
    ('12', None)
    """
    from polars.exceptions import ComputeError

    try:
        caught: str | None = _column(pattern, text).str.extract(pattern, group)[0]
    except ComputeError as error:
        raise _refused(pattern, error) from None
    return caught


def _column(pattern: str, text: str) -> pl.Series:
    import polars as pl

    if len(pattern) > LONGEST:
        message = f"a pattern has at most {LONGEST:,} characters, and this one {len(pattern):,}"
        raise ExpressionRefused(message)
    return pl.Series([text], dtype=pl.String)


def _refused(pattern: str, error: Exception) -> ExpressionRefused:
    _, _, told = str(error).rpartition("error: ")
    reason = told.partition("\n")[0] or "it cannot be read"
    return ExpressionRefused(f"{pattern!r} is no pattern: {reason}")
