from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.money import format_usd, to_usd, usd

MOST = 9_000_000_000


@pytest.mark.parametrize(
    ("amount", "nano"),
    [
        (0, 0),
        (2, 2_000_000_000),
        (0.1, 100_000_000),
        ("0.000000075", 75),
        (7.5e-08, 75),
        (Decimal("-1.5"), -1_500_000_000),
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("9007199.254740993", 9_007_199_254_740_993),
        (f"{MOST}.000000001", MOST * 10**9 + 1),
    ],
)
def test_dollars_are_whole_nano_dollars(amount: float | str | Decimal, nano: int) -> None:
    assert usd(amount) == nano
    assert isinstance(usd(amount), int)


@pytest.mark.parametrize("amount", ["nan", math.nan, math.inf, "-inf", "", "abc", "$2", True])
def test_other_things_are_no_money(amount: str | float) -> None:
    with pytest.raises(ValueError, match="is not an amount of money"):
        usd(amount)


@given(st.integers(-MOST * 10**9, MOST * 10**9))
def test_nano_dollars_survive_as_text(nano: int) -> None:
    assert usd(Decimal(nano) / 10**9) == nano
    assert to_usd(nano) == pytest.approx(nano / 1e9)


@given(st.lists(st.decimals(-1000, 1000, places=9), max_size=20))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    assert sum(map(usd, amounts)) == usd(sum(amounts, Decimal(0)))


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "unknown"),
        (math.nan, "unknown"),
        (0, "$0"),
        (1, "$0.00000000100"),
        (75, "$0.0000000750"),
        (123_450_000, "$0.123"),
        (1_000_000_000, "$1.00"),
        (1_234_567_890_000_000, "$1,234,567.89"),
        (-12_345_678_900, "-$12.35"),
        (-50_000_000, "-$0.0500"),
    ],
)
def test_money_reads_as_people_write_it(nano: float | None, text: str) -> None:
    assert format_usd(nano) == text


@given(st.integers(1, MOST * 10**9))
def test_text_is_near_the_amount(nano: int) -> None:
    text = format_usd(nano)
    shown = Decimal(text.replace(",", "").removeprefix("$")) * 10**9
    assert abs(shown - nano) <= nano * Decimal("0.0051")
    assert format_usd(-nano) == f"-{text}"
