from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.rows import rows_of
from promptstudio_lab.experiments.segments import segmented
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.adjusted.strata import heterogeneity
from promptstudio_lab.stats.multiplicity import adjust
from tests.experiments.parts import frame
from tests.experiments.test_rows import read, told

GOAL = (Rate("success"), Mean("cost_usd"))


def test_each_segment_has_its_own_effect_and_the_largest_comes_first() -> None:
    table = frame(600, lift=0.35)
    found = segmented(read(table, by="language"), GOAL, method="fixed")
    counts = table.filter(variant="a")["language"].value_counts()
    assert [row.n for row in found.rows] == sorted(counts["count"].to_list(), reverse=True)
    for row in found.rows:
        side = table.filter(language=row.name).group_by("variant").agg(pl.col("success").mean())
        means = dict(side.iter_rows())
        assert row.finding.effect.estimate == pytest.approx(means["b"] - means["a"])
    assert {row.finding.metric.name for row in found.rows} == {"success"}
    clear = {row.name: row.finding.verdict for row in found.rows}
    assert clear["en"] == "better"
    assert found.differs["success"] < 0.05
    assert "it is not the same everywhere by language" in found.text


def test_the_adjustment_is_benjamini_hochbergs_and_intervals_agree_with_it() -> None:
    table = frame(600, lift=0.35)
    found = segmented(read(table, by="language"), GOAL, method="fixed")
    alone = [
        segmented(read(table.filter(language=row.name), by="language"), GOAL, method="fixed")
        for row in found.rows
    ]
    p_values = [one.rows[0].finding.effect.p_value for one in alone]
    expected = adjust(p_values, "bh").p_values
    assert [row.finding.p_adjusted for row in found.rows] == pytest.approx(expected, rel=1e-6)
    for row in found.rows:
        clear = not row.finding.effect.low <= 0 <= row.finding.effect.high
        assert clear == (row.finding.p_adjusted <= 0.05)
    effects = [row.finding.effect for row in found.rows]
    exact = heterogeneity([one.estimate for one in effects], [one.se for one in effects])
    assert found.differs["success"] == pytest.approx(exact.p_value)


def test_under_the_null_few_findings_are_false() -> None:
    random, false = np.random.default_rng(3), 0
    for _ in range(150):
        n = 160
        base = random.normal(size=n)
        table = pl.DataFrame({
            "unit": [str(i) for i in range(n)] * 2,
            "variant": ["a"] * n + ["b"] * n,
            "score": np.concatenate([base, base + random.normal(size=n)]),
            "kind": [str(i % 8) for i in range(n)] * 2,
        })  # fmt: skip
        rows = rows_of(table, ["score"], control="a", treatment="b", by="kind")
        found = segmented(rows, [Mean("score")], method="fixed")
        false += any(row.finding.verdict in {"better", "worse"} for row in found.rows)
    assert false / 150 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 150)


def test_a_segment_of_one_item_is_unknown_and_says_why() -> None:
    table = frame(60).with_columns(
        language=pl.when(pl.col("unit") == "t0").then(pl.lit("fr")).otherwise(pl.col("language"))
    )
    found = segmented(read(table, by="language"), GOAL)
    last = found.rows[-1]
    assert (last.name, last.n, last.finding.verdict) == ("fr", 1, "unknown")
    assert "at least 2" in last.finding.effect.reason


def test_one_segment_has_nothing_to_differ_from() -> None:
    table = frame(60).with_columns(language=pl.lit("en"))
    found = segmented(read(table, by="language"), GOAL)
    assert math.isnan(found.differs["success"])
    assert "too few segments" in found.text


def test_too_many_segments_are_refused() -> None:
    with pytest.raises(AnalysisError, match="at most 30"):
        segmented(read(frame(60), by="unit"), GOAL)


def test_every_face_shows_segments() -> None:
    found = told(read(by="language"))
    assert found.segments is not None
    assert "p adjusted" in repr(found)
    assert "by language" in found._repr_html_()
    assert "|de|success|" in found.to_markdown()
    tidy = found.to_polars()
    assert tidy["segment"].to_list()[-2:] == [row.name for row in found.segments.rows]
    assert (
        tidy.filter(segment="en")["p_adj"].item()
        == found.segments.rows[
            [row.name for row in found.segments.rows].index("en")
        ].finding.p_adjusted
    )
