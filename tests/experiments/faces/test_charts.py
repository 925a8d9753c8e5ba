from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.faces.charts import PALETTES, Kind, Theme, chart
from promptstudio_lab.metrics import Rate
from promptstudio_lab.stats.sums import Sums
from tests.experiments.parts import frame, report
from tests.experiments.test_rows import read, told
from tests.experiments.test_several import compared, part

FOUND = told(read(frame(300)))


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:  # rows of Vega-Lite's own JSON
    """Return the rows behind a chart, the largest of its tables."""
    tables = [spec.get("data", {}).get("values", [])]
    tables += [values(layer) for layer in spec.get("layer", [])]
    tables += list(spec.get("datasets", {}).values())
    return max(tables, key=len)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("theme", get_args(Theme))
def test_each_chart_is_drawn_in_both_themes(kind: Kind, theme: Theme) -> None:
    bundle = FOUND.plot(kind, theme=theme)._repr_mimebundle_()
    spec = bundle["application/vnd.vegalite.v5+json"]
    assert spec["background"] == PALETTES[theme].paper
    assert values(spec)
    assert "url" not in json.dumps(spec), "nothing is fetched"


def test_the_forest_holds_the_relative_effects() -> None:
    rows = values(FOUND.plot("forest").to_dict())
    effects = [finding.effect for finding in FOUND.findings if finding.effect.relative is not None]
    assert [row["effect"] for row in rows] == [100 * (one.relative or 0) for one in effects]
    assert [row["low"] for row in rows] == [100 * (one.relative_low or 0) for one in effects]


def test_the_timeline_ends_in_the_reports_interval() -> None:
    rows = values(FOUND.plot("timeline").to_dict())
    effect = FOUND["success"]
    assert rows[-1]["n"] == 300
    assert rows[-1]["low"] == pytest.approx(100 * effect.low)
    assert rows[-1]["high"] == pytest.approx(100 * effect.high)
    widths = [row["high"] - row["low"] for row in rows]
    assert widths[len(widths) // 2] > widths[-1]


def test_the_distribution_adds_up_to_all_items_of_each_variant() -> None:
    rows = values(FOUND.plot("distribution", metric="latency_ms_p95").to_dict())
    for variant in "ab":
        shares = [row["share"] for row in rows if row["variant"] == variant]
        assert np.sum(shares) == pytest.approx(1.0)
    ratio = values(FOUND.plot("distribution", metric="cost_per_success").to_dict())
    assert ratio


def test_the_front_is_marked() -> None:
    rows = values(compared(part("short", 0.2), part("cot", 0.4)).plot("pareto").to_dict())
    assert [row["variant"] for row in rows] == ["prod", "short", "cot"]
    assert {row["variant"]: row["place"] for row in rows}["cot"] == "on the front"


def test_what_cannot_be_drawn_is_told() -> None:
    wrong: Any = "forrest"  # what a careless caller may pass
    with pytest.raises(AnalysisError, match="did you mean 'forest'"):
        FOUND.plot(wrong)
    with pytest.raises(AnalysisError, match="no metric 'sucess'"):
        FOUND.plot("timeline", metric="sucess")
    with pytest.raises(AnalysisError, match="made from sums alone"):
        report().plot("timeline")
    with pytest.raises(AnalysisError, match="needs a goal and a cost"):
        report(metrics=[Rate("success")]).plot("pareto")
    zero = Sums.of({"control.success": [0.0] * 4, "treatment.success": [0.0, 1, 1, 1]})
    with pytest.raises(AnalysisError, match="no forest"):
        report(zero, metrics=[Rate("success")]).plot("forest")
    several = compared(part("short", 0.2), part("cot", 0.4))
    with pytest.raises(AnalysisError, match=r"report\['short'\]\.plot\('timeline'\)"):
        several.plot("timeline")
    assert chart([FOUND], "forest").chart is not None
