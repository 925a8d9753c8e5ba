"""A run takes what its flow's inputs take; the rest is told before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from promptstudio_lab.errors import FlowError

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab


def taking(lab: Lab, kind: str, **more: Any) -> Flow:  # an input's settings
    flow = lab.draft()
    flow.output(answer=flow.input("x", kind, **more))
    return flow


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int", "four", "takes int, not the text 'four'"),
        ("int", 4.5, "takes int, not 4.5"),
        ("int", True, "takes int, not true"),
        ("float", "1", "takes float, not the text '1'"),
        ("bool", 1, "takes bool, not 1"),
        ("list", "abc", "takes list, not the text 'abc'"),
        ("table", [{"a": 1}, 2], r"takes table, not \[\{"),
        ("text", ["a"], r'takes text, not \["a"\]'),
        ("text", None, "has no value: it is null"),
        ("int", None, "has no value: it is null"),
    ],
)
def test_a_value_of_another_type_is_refused(memory: Lab, kind: str, value: Any, said: str) -> None:
    with pytest.raises(FlowError, match=f"the flow's input 'x' {said}"):
        taking(memory, kind).run(x=value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ""),
        ("text", 3),
        ("text", True),
        ("int", 4),
        ("int", 4.0),
        ("float", 4),
        ("list", []),
        ("table", [{}]),
        ("json", None),
        ("json", {"a": None}),
        ("any", None),
        ("any", "x"),
    ],
)
def test_what_fits_is_passed_on(memory: Lab, kind: str, value: Any) -> None:
    assert taking(memory, kind).run(x=value).outputs == {"answer": value}


def test_a_long_value_is_cut_in_the_message(memory: Lab) -> None:
    with pytest.raises(FlowError) as refused:
        taking(memory, "int").run(x="a" * 5000)
    assert len(str(refused.value)) < 200


def test_null_takes_the_default(memory: Lab) -> None:
    assert taking(memory, "text", default="usual").run(x=None).outputs == {"answer": "usual"}


def test_a_missing_value_in_a_frame_names_its_row(memory: Lab) -> None:
    frame = pd.DataFrame({"x": ["a", None, "c"]})
    with pytest.raises(FlowError, match="row 2: the flow's input 'x' has no value"):
        taking(memory, "text").batch(frame)
    filled = taking(memory, "text", default="b").batch(frame)
    assert filled["answer"].to_list() == ["a", "b", "c"]
