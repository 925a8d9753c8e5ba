from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stats.golden_adapter import ANSWERS, Case, answer

FILES = sorted(Path(__file__).with_name("golden").glob("*.json"))
CASES = [case for file in FILES for case in json.loads(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case_with_a_known_answer(case: Case) -> None:
    found = answer(case["method"], case["inputs"])
    for name, expected in case["expected"].items():
        tolerance = case["tolerance"]
        wanted = [float(end) for end in expected] if isinstance(expected, list) else float(expected)
        assert found[name] == pytest.approx(wanted, rel=tolerance, abs=tolerance), name


def test_every_connected_method_has_cases() -> None:
    assert {case["method"] for case in CASES} >= set(ANSWERS)


def test_a_method_that_nobody_connected_is_named() -> None:
    with pytest.raises(LookupError, match="'phase_of_the_moon'"):
        answer("phase_of_the_moon", {})
