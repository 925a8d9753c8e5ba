from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.assignment.hashing import fnv32a, growthbook_hash, unit_interval


@pytest.mark.parametrize(
    ("text", "found"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_fnv_is_the_published_one(text: str, found: int) -> None:
    assert fnv32a(text) == found


@settings(max_examples=40)
@given(st.text(max_size=20), st.text(max_size=20))
def test_every_unit_has_a_place_and_keeps_it(salt: str, unit: str) -> None:
    assert 0 <= growthbook_hash(salt, unit) < 1
    assert 0 <= growthbook_hash(salt, unit, 1) < 1
    if not any("\ud800" <= letter <= "\udfff" for letter in salt + unit):
        assert 0 <= unit_interval(salt, unit) == unit_interval(salt, unit) < 1


def test_letters_beyond_the_basic_plane_are_two_units_as_in_javascript() -> None:
    assert fnv32a("😀") == fnv32a("\ud83d\ude00")
    assert fnv32a("é") == ((0x811C9DC5 ^ 0xE9) * 0x01000193) % 2**32


def test_places_are_uniform_and_salts_are_independent() -> None:
    units = [f"user-{number}" for number in range(20_000)]
    one, other = ([unit_interval(salt, unit) for unit in units] for salt in ("in", "variant"))
    assert kstest(one, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_salt_and_unit_do_not_run_together() -> None:
    assert unit_interval("ab", "c") != unit_interval("a", "bc")


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no version 99"):
        growthbook_hash("abc", "def", 99)
