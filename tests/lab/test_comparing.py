"""Two runs or two batches side by side, and grids of variants with what each factor does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError, Conflict, FlowError
from promptstudio_lab.experiments.frames import analyze_frame

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment, Flow, Lab

WORDS = [
    {"id": f"w{n}", "word": {"a": "yes" if n % 2 else "no", "b": "no" if n % 8 == 1 else "yes"},
     "truth": "yes"}
    for n in range(80)
]  # fmt: skip


def saying(lab: Lab, prompt: str = "{{ word.a }}") -> Flow:
    """Return a flow of two steps without a model."""
    flow = lab.flow("say")
    said = flow.prompt("say", prompt=prompt, word=flow.input("word", "json"))
    shown = flow.prompt("show", prompt="{{ text }}", text=said)
    flow.output(label=shown)
    return flow


def batch(lab: Lab, prompt: str, rows: Any = WORDS) -> pl.DataFrame:  # rows of any kind
    return saying(lab, prompt).batch(rows, scorer=ps.exact("label", "truth"))


def test_batches_are_paired_and_say_what_flipped_and_where(lab: Lab) -> None:
    before, after = batch(lab, "{{ word.a }}"), batch(lab, "{{ word.b }}")
    found = lab.compare(before, after)
    assert found.report.reason.startswith("paired by item: every variant ran on the same 80 items")
    assert found.report["success"].estimate == pytest.approx(30 / 80)
    flips = found.flips.rows_by_key("item", named=True, unique=True)
    assert {item for item, row in flips.items() if row["flipped"] == "better"} == {
        f"w{n}" for n in range(0, 80, 2)
    }
    assert {item for item, row in flips.items() if row["flipped"] == "worse"} == {
        f"w{n}" for n in range(1, 80, 8)
    }
    assert found.nodes.rows() == [("say", 50, 40, 10)]
    assert found.diff("w0").splitlines() == [
        "--- say before", "+++ say after", "@@ -1 +1 @@", "-no", "+yes"
    ]  # fmt: skip
    assert found.diff("w3") == "", "both said yes"
    told = repr(found)
    assert told.startswith("80 items: 40 better, 10 worse\nfirst apart at say: 50 items\n")
    assert "SHIP" in told
    with pytest.raises(AnalysisError, match="did you mean 'w1'"):
        found.diff("w1x")


def test_items_of_one_batch_only_are_named(lab: Lab) -> None:
    before, after = batch(lab, "{{ word.a }}", WORDS[:40]), batch(lab, "{{ word.b }}", WORDS[5:])
    found = lab.compare(before, pd.DataFrame(after.to_dict(as_series=False)))
    assert found.items.height == 35
    assert found.only_before == tuple(f"w{n}" for n in range(5))
    assert len(found.only_after) == 40
    assert "40 items left out that only the second ran on" in repr(found)
    with pytest.raises(AnalysisError, match="no item in common"):
        lab.compare(before[:5], after)
    with pytest.raises(AnalysisError, match="stands there twice"):
        lab.compare(pl.concat([before, before]), after)
    with pytest.raises(AnalysisError, match="no column 'item'"):
        lab.compare(before.drop("item"), after)


def test_two_runs_tell_the_first_node_that_went_apart(lab: Lab) -> None:
    one = saying(lab, "{{ word.a }}\nsame").run(word={"a": "left", "b": "right"})
    other = saying(lab, "{{ word.b }}\nsame").run(word={"a": "left", "b": "right"})
    found = lab.compare(one, other.id)
    assert found.report is None
    assert found.items["node"].to_list() == ["say"]
    assert found.diff().splitlines()[3:] == ["-left", "+right", " same"]
    assert lab.compare(one, one).diff() == ""
    with pytest.raises(AnalysisError, match="there is no run"):
        lab.compare(one, "00000000-0000-7000-8000-000000000000")


def test_a_node_that_did_not_run_is_where_they_went_apart(lab: Lab) -> None:
    one = saying(lab).run(word={"a": "x"})
    flow = lab.flow("say")
    said = flow.prompt("say", prompt="{{ word.a }}", word=flow.input("word", "json"))
    flow.output(label=said)
    other = flow.run(word={"a": "x"})
    found = lab.compare(one, other)
    assert found.items["node"].to_list() == ["show"]
    assert found.diff().splitlines()[-1] == "+(did not run)"
    assert lab.compare(other, one).items["node"].to_list() == ["show"]


def gridded(lab: Lab, **levels: Any) -> Experiment:  # a grid's
    flow = saying(lab)
    cells = ps.grid(
        levels
        or {
            "say.prompt": {"a": "{{ word.a }}", "b": "{{ word.b }}"},
            "show.prompt": {"plain": "{{ text }}", "twice": "{{ text }}{{ text }}"},
        }
    )
    return lab.experiment(
        "grid", flow=flow, variants=cells, data=WORDS, scorer=ps.exact("label", "truth")
    )


def test_each_factor_of_a_grid_has_its_own_effect(lab: Lab) -> None:
    experiment = gridded(lab)
    frame = experiment.run()
    assert frame["variant"].n_unique() == 4
    assert len(experiment.report().reports) == 3
    found = experiment.main_effects()
    assert list(found) == ["say.prompt", "show.prompt"]
    said, shown = found["say.prompt"], found["show.prompt"]
    assert (said.control, said.treatment, said.n) == ("a", "b", 80)
    # What is said twice is never right, so each factor shows on half of the cells.
    assert said["success"].estimate == pytest.approx(30 / 80 / 2)
    assert shown["success"].estimate == pytest.approx(-(40 + 70) / 160)
    assert said.counts == {"a": 160, "b": 160}
    # By hand: an item's mean over the cells of a level.
    by_hand = frame.with_columns(
        level=pl.col("variant")
        .str.contains("say.prompt=a", literal=True)
        .replace_strict({True: "a", False: "b"})
    ).select("item", pl.col("level").alias("variant"), pl.col("score").alias("success"))
    other = analyze_frame(by_hand, unit="item", control="a", metrics=[ps.Rate("success")])
    for number in ("estimate", "low", "high", "p_value"):
        exact = pytest.approx(getattr(other["success"], number), rel=1e-9)
        assert getattr(said["success"], number) == exact


def test_a_grids_factors_are_part_of_its_plan(lab: Lab) -> None:
    gridded(lab).run()
    with pytest.raises(Conflict, match="factors"):
        gridded(lab, **{
            "say.prompt": {"a": "{{ word.a }}", "c": "{{ word.b }}"},
            "show.prompt": {"plain": "{{ text }}", "twice": "{{ text }}{{ text }}"},
        }).run()  # fmt: skip


def test_what_is_no_grid_is_said(lab: Lab) -> None:
    with pytest.raises(FlowError, match="at least two levels"):
        ps.grid({"say.prompt": ["one"]})
    with pytest.raises(FlowError, match="at least two levels"):
        ps.grid({"say.prompt": ["one", "one"]})
    with pytest.raises(FlowError, match="not a place"):
        ps.grid({"prompt": ["one", "two"]})
    flow = saying(lab)
    plain = lab.experiment(
        "plain",
        flow=flow,
        variants={"a": None, "b": flow.vary("say.prompt", "{{ word.b }}")},
        data=WORDS[:4],
        scorer=ps.exact("label", "truth"),
    )
    with pytest.raises(AnalysisError, match="no finished runs"):
        plain.main_effects()
    plain.run()
    with pytest.raises(AnalysisError, match="no grid"):
        plain.main_effects()
