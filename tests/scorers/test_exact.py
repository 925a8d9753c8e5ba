from __future__ import annotations

import pickle
from importlib.metadata import entry_points
from inspect import getdoc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.scorers import scorers
from promptstudio_lab.scorers.exact import Exact
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from promptstudio_lab.values import Json


QUIETLY = settings(deadline=None, derandomize=True, max_examples=100, database=None)


@pytest.mark.parametrize(
    ("found", "wanted", "value"),
    [
        ("billing", "billing", 1.0),
        (" Billing\n", "billing", 1.0),
        ("STRASSE", "straße", 1.0),
        ("bill", "billing", 0.0),
        ("", "billing", 0.0),
        (None, "billing", 0.0),
        (3, 3, 1.0),
        (3, "3", 0.0),
        (["a"], ["a"], 1.0),
        (False, False, 1.0),
        (0, 0, 1.0),
    ],
)
def test_equal_but_for_case_and_outer_space(found: Json, wanted: Json, value: float) -> None:
    score = Exact("x").score({"x": found}, {"x": wanted})
    assert score.value == value
    assert score.label == ("pass" if value else "fail")


@pytest.mark.parametrize("item", [{}, {"x": None}, {"y": "a"}])
def test_an_item_without_the_answer_is_missing_and_no_zero(item: Json) -> None:
    score = Exact("x").score({"x": "a"}, item)
    assert score.value is None
    assert score.label == "missing"


def test_a_run_without_the_output_failed() -> None:
    assert Exact("x").score({}, {"x": "a"}).value == 0.0


def test_the_expected_field_may_be_called_otherwise() -> None:
    scorer = Exact("answer", "label")
    assert scorer.score({"answer": "a"}, {"label": "a", "answer": "b"}).value == 1.0
    assert scorer.describe() == {"scorer": "exact", "output": "answer", "expected": "label"}


@QUIETLY
@given(st.text(), st.text())
def test_comparing_is_symmetric(one: str, other: str) -> None:
    forth = Exact("x").score({"x": one}, {"x": other}).value
    assert forth == Exact("x").score({"x": other}, {"x": one}).value


def test_registered_scorers_can_be_sent_away_described_and_read_about() -> None:
    assert {entry.name for entry in entry_points(group="promptstudio_lab.scorers")} == set(scorers)
    for name, scorer in scorers.items():
        assert getdoc(scorer)
        made = scorer("x")  # type: ignore[call-arg]  # a scorer's arguments are its own
        described = made.describe()
        assert described["scorer"] == name
        assert dumps(described)
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 — pickled one line above
