from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.stats.golden_adapter import ANSWERS, Case, answer

FILES = sorted(Path(__file__).with_name("golden").glob("*.json"))
CASES = [case for file in FILES for case in json.loads(file.read_text(encoding="utf-8"))]


def numbers(value: Any) -> list[float]:  # whatever a case expects
    """Return the numbers of a value, however deep they lie."""
    if isinstance(value, list | tuple):
        return list(chain.from_iterable(map(numbers, value)))
    return [float(value)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case_with_a_known_answer(case: Case) -> None:
    found = answer(case["method"], case["inputs"])
    for name, expected in case["expected"].items():
        tolerance = case["tolerance"]
        close = pytest.approx(numbers(expected), rel=tolerance, abs=tolerance)
        assert numbers(found[name]) == close, name


def test_every_case_is_of_a_connected_method_and_every_method_has_cases() -> None:
    assert {case["method"] for case in CASES} == set(ANSWERS)


def test_a_method_that_nobody_connected_is_named() -> None:
    with pytest.raises(LookupError, match="'phase_of_the_moon'"):
        answer("phase_of_the_moon", {})
