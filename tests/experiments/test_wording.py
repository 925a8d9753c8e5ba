from __future__ import annotations

import math

import pytest

from promptstudio_lab.experiments.wording import (
    amount,
    change,
    decimals,
    p_value,
    percent,
    shortened,
    times,
    visible,
)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.48, "share", "48.0 %"),
        (1.0, "share", "100 %"),
        (0.0, "share", "0 %"),
        (0.9996, "share", "100 %"),
        (0.00021, "usd per success", "$0.000210"),
        (12.3456, "usd", "$12.35"),
        (812.4, "ms", "812 ms"),
        (12_345.0, "ms", "12,300 ms"),
        (4.5, "", "4.50"),
        (4.5, "stars", "4.50 stars"),
        (math.nan, "usd", "unknown"),
    ],
)
def test_values_have_three_digits_and_a_unit(value: float, unit: str, words: str) -> None:
    assert amount(value, unit) == words


def test_money_below_zero_has_the_same_minus_as_everything_else() -> None:
    assert amount(-0.5, "usd") == "\u2212$0.500"
    assert change(-0.5, "usd") == "\u2212$0.500"
    assert change(-0.5, "share") == "\u221250.0 points"


def test_numbers_that_stand_together_have_the_same_decimals() -> None:
    assert change(0.0321, "share", (-0.2, 0.26)) == "+3.2 points"
    assert change(0.00001, "share", (0.3,)) == "0.0 points"
    assert change(0.0, "usd", (0.5,)) == "$0.000"
    assert percent(-0.0001, (0.5,)) == "0.0 %"
    assert change(math.nan, "ms") == "unknown"


def test_decimals_know_that_rounding_carries() -> None:
    assert [decimals(99.96), decimals(9.99), decimals(0.0), decimals()] == [0, 2, 0, 0]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.9, "1.9x as much"),
        (1.0, "2x as much"),
        (0.1, "10 % more"),
        (-0.55, "55 % less"),
        (0.0, "about the same"),
        (4999.0, "5,000x as much"),
    ],
)
def test_how_much_more(share: float, words: str) -> None:
    assert times(share) == words


def test_p_values_do_not_pretend() -> None:
    assert [p_value(0.0), p_value(math.nan), p_value(0.25)] == ["< 0.001", "unknown", "0.250"]


def test_nothing_hidden_in_a_name_stays_hidden() -> None:
    name = "a\u202eb\u200bc\x1b[31m\ud800\n"
    assert visible(name) == r"a\u202eb\u200bc\x1b[31m\ud800\n"
    assert visible("Übersetzung 要約 🙂") == "Übersetzung 要約 🙂"


def test_long_names_are_shortened_after_they_are_made_visible() -> None:
    assert shortened("x" * 24) == "x" * 24
    assert shortened("\n" * 30) == r"\n" * 11 + "\\" + "\u2026"
