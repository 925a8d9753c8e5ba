from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.nodes import kinds
from tests.nodes.parts import Answers, run

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

VALUES: list[float] = [3, 1.5, 8, 2, 100, 7]
OF = ["mean", "sum", "min", "max", "count", "share", "p50", "p95"]


def test_an_aggregate_works_out_every_figure_and_keeps_it_as_a_metric() -> None:
    config = {"metrics": [{"name": of, "of": of, "port": "x"} for of in OF]}
    context = Answers()
    found = run("aggregate", config, {"x": [*VALUES, None, 0]}, context)
    there = [*VALUES, 0]
    assert found == pytest.approx(
        {
            "mean": np.mean(there),
            "sum": 121.5,
            "min": 0,
            "max": 100,
            "count": 7,
            "share": 6 / 7,
            "p50": np.percentile(there, 50),
            "p95": np.percentile(there, 95),
            "n": 8,
        }
    )
    assert [name for name, _, _ in context.metrics] == OF
    ports = kinds["aggregate"].ports(config, Facts())
    assert [port.name for port in ports.inputs] == ["x"]
    assert [port.type for port in ports.outputs] == ["float"] * len(OF) + ["int"]
    assert kinds["aggregate"].once_a_batch


def test_a_figure_of_nothing_is_null_and_no_metric() -> None:
    context = Answers()
    assert run("aggregate", {}, {"value": [None]}, context) == {"mean": None, "n": 1}
    assert context.metrics == []
    counted = {"metrics": [{"name": "c", "of": "count", "port": "value"}]}
    assert run("aggregate", counted, {"value": []}, context) == {"c": 0.0, "n": 0}


@pytest.mark.parametrize("rows", [["a"], [[1]], [1e308, 1e308], [10**400]])
def test_what_is_no_number_is_told(rows: Json) -> None:
    config = {"metrics": [{"name": "s", "of": "sum", "port": "x"}]}
    with pytest.raises(NodeFailed, match="'x'"):
        run("aggregate", config, {"x": rows})


@pytest.mark.parametrize(
    ("config", "output", "expected", "score"),
    [
        ({}, " Billing", "billing ", 1.0),
        ({}, "tech", "billing", 0.0),
        ({"scorer": "regex", "pattern": r"^\d+$"}, "12", None, 1.0),
        ({"scorer": "regex", "pattern": r"^\d+$"}, "12a", None, 0.0),
        ({"scorer": "contains"}, "It is PARIS.", "paris", 1.0),
        ({"scorer": "contains", "ignore_case": False}, "It is PARIS.", "paris", 0.0),
        ({"scorer": "length", "most": 3}, "abcd", None, 0.0),
        ({"scorer": "length", "least": 4}, "abcd", None, 1.0),
        ({"scorer": "json_match"}, '{"a": 1, "b": [2], "z": 0}', {"a": 1, "b": [2]}, 1.0),
        ({"scorer": "json_match"}, {"a": 1, "b": [3]}, '{"a": 1, "b": [2]}', 0.5),
        ({"scorer": "json_match"}, "{", {"a": 1}, 0.0),
        ({"scorer": "json_match"}, {"a": True}, {"a": 1}, 0.0),
        ({"scorer": "json_match"}, 5, 5, 1.0),
    ],
)
def test_a_judge_scores(config: Json, output: Json, expected: Json, score: float) -> None:
    context = Answers()
    found = run("judge", config, {"output": output, "expected": expected}, context)
    assert found["score"] == score
    assert found["label"] == ("pass" if score == 1 else "fail")
    assert found["reason"]
    assert context.metrics == [("score", score, {"scorer": config.get("scorer", "exact")})]


@pytest.mark.parametrize("scorer", ["exact", "contains", "json_match"])
def test_nothing_to_compare_with_is_missing_and_no_zero(scorer: str) -> None:
    context = Answers()
    found = run("judge", {"scorer": scorer}, {"output": "x", "expected": None}, context)
    assert found == {"label": "missing", "reason": "nothing was expected"}
    assert context.metrics == []


def test_a_judge_takes_what_was_expected_only_where_it_counts() -> None:
    named = {
        scorer: [port.name for port in kinds["judge"].ports({"scorer": scorer}, Facts()).inputs]
        for scorer in ("exact", "regex")
    }
    assert named == {"exact": ["output", "expected"], "regex": ["output"]}
