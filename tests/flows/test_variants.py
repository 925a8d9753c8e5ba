from __future__ import annotations

import pytest

from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.variants import Patch, patched, vary
from tests.flows.parts import FACTS, triage_graph


def test_a_patch_changes_one_setting_and_leaves_the_base_alone() -> None:
    graph = triage_graph()
    other = patched(graph, vary("classify.model", "simulated:large"))
    assert other.by_key["classify"].config["model"] == "simulated:large"
    assert "model" not in graph.by_key["classify"].config
    assert other.edges == graph.edges
    assert other.hash != graph.hash
    assert [n for n in other.nodes if n != graph.by_key[n.key]] == [other.by_key["classify"]]
    assert validate(other, FACTS) == ()


def test_several_at_once_and_the_later_one_wins() -> None:
    both = vary("billing.prompt", "New {{ ticket }}") & vary("tech.temperature", 0)
    other = patched(triage_graph(), both)
    assert other.by_key["billing"].config["prompt"] == {"text": "New {{ ticket }}"}
    assert other.by_key["tech"].config["temperature"] == 0
    twice = vary("tech.seed", 1) & vary("tech.seed", 2)
    assert twice.settings == {"tech.seed": 2}


def test_values_are_as_the_builder_takes_them() -> None:
    assert vary("a.prompt", "x/y@2").settings == {"a.prompt": {"ref": "x/y@2"}}
    shape = vary("a.returns", {"label": ["x"]}).settings["a.returns"]
    assert shape["properties"] == {"label": {"enum": ["x"]}}
    assert vary("a.seed", 1).settings == {"a.seed": 1}


def test_a_patch_is_a_document() -> None:
    patch = vary("a.seed", 1) & vary("b.model", "x:y")
    assert patch.document() == [
        {"op": "add", "path": "/nodes/a/config/seed", "value": 1},
        {"op": "add", "path": "/nodes/b/config/model", "value": "x:y"},
    ]
    assert Patch({}).document() == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("classfy.model", "did you mean 'classify'"),
        ("classify.modle", "did you mean 'model'"),
        ("nobody.seed", "no node 'nobody'"),
    ],
)
def test_a_place_that_there_is_not(place: str, said: str) -> None:
    with pytest.raises(FlowError, match=said):
        patched(triage_graph(), vary(place, 1))


@pytest.mark.parametrize("place", ["", "classify", ".model", "classify."])
def test_what_is_no_place(place: str) -> None:
    with pytest.raises(FlowError, match="not a place"):
        vary(place, 1)
