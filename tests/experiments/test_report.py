from __future__ import annotations

import math
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Rate, RatioOfSums, default_metrics
from promptstudio_lab.stats.sums import Sums
from tests.experiments.parts import items, report

EVIL = "\"'><img src=x onerror=alert(1)></style><script>alert(2)</script>"


class Tags(HTMLParser):
    """Every tag and attribute that a browser would make of a text."""

    def __init__(self, html: str) -> None:
        """Read all of it."""
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag and its attributes' names."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Keep what is read as text."""
        self.words.append(data)


def hostile() -> str:
    """Return a report in which everything that somebody can name has an evil name."""
    sums = items()
    moved = [column.replace("control", EVIL).replace("treatment", f"b{EVIL}") for column in COLUMNS]
    renamed = Sums(sums.n, tuple(moved), sums.shift, sums.totals, sums.products)
    metrics = [
        Rate("success", name=EVIL, label=EVIL),
        Mean("cost_usd"),
        Mean("latency_ms", label=EVIL * 3, unit=EVIL),
        RatioOfSums("cost_usd", "success", unit=f"usd per {EVIL}"),
    ]
    found = report(
        renamed,
        name=EVIL,
        control=EVIL,
        treatment=f"b{EVIL}",
        metrics=metrics,
        counts={EVIL: 240, f"b{EVIL}": 240},
        expected=None,
        unpaired=[EVIL],
        sql=EVIL,
    )
    return found._repr_html_() + found.forest._repr_html_()


COLUMNS = items().columns


def test_names_are_text_and_nothing_else() -> None:
    found = Tags(hostile())
    assert not found.tags & {"img", "script"}
    assert not any(name.startswith("on") for name in found.attributes)
    assert any("<img src=x onerror=alert(1)>" in words for words in found.words)


def test_the_page_has_exactly_the_tags_it_should() -> None:
    assert Tags(hostile()).tags == Tags(HTML_OF_FRIENDS + report().forest.svg).tags


HTML_OF_FRIENDS = report(sql="select 1")._repr_html_()


def test_the_page_opens_with_the_decision() -> None:
    words = [word.strip() for word in Tags(HTML_OF_FRIENDS).words if word.strip()]
    assert words[1] == "Ship"
    assert words[2] == "treatment ships:"


def test_a_stand_in_is_named_everywhere() -> None:
    found = report(simulated=True)
    assert "SIMULATED: answers of a stand-in" in repr(found)
    assert ">simulated</span>" in found._repr_html_()
    assert found.to_polars()["simulated"].all()
    real = report()
    assert "simulated" not in repr(real).lower()
    assert ">simulated<" not in real._repr_html_()


def test_an_invalid_report_greys_its_numbers() -> None:
    assert '<div class="psl-report-grey">' not in HTML_OF_FRIENDS
    grey = report(counts={"control": 400, "treatment": 240})._repr_html_()
    assert grey.count('<div class="psl-report-grey">') == 2


def test_goals_of_another_level_say_it_in_their_rows() -> None:
    html = report(metrics=[Rate("success"), Rate("success", name="again"), Mean("cost_usd")])
    assert "at 97.5 %" in html._repr_html_()
    assert "95 % anytime interval</th>" in HTML_OF_FRIENDS


def test_the_query_is_there_when_it_is_known() -> None:
    assert "<pre>select 1</pre>" in HTML_OF_FRIENDS
    assert "The SQL behind" not in report()._repr_html_()


def test_plain_text_aligns_and_explains() -> None:
    lines = repr(report()).splitlines()
    table = [line for line in lines if line.endswith(("better", "worse", "unclear", "verdict"))]
    assert lines[0].startswith("SHIP: treatment ships")
    assert len({len(line) for line in table}) == 1
    assert lines[-1] == (
        "paired by item: every variant ran on the same 240 items;"
        " asymptotic confidence sequence, safe to look at any time"
    )


def test_what_is_unusual_about_a_metric_is_said() -> None:
    sums = Sums.of({"control.success": [0, 1] * 20, "treatment.success": [0, 1] * 20})
    found = report(sums, metrics=[Rate("success")])
    assert found.reason.endswith(
        "success: both variants gave the same result on all 40 items;"
        " up to 7.2 % of all items may differ all the same"
    )


def test_a_frame_has_a_row_a_metric() -> None:
    found = report()
    frame = found.to_polars()
    assert frame.columns[:13] == [
        "metric", "variant", "segment", "estimate", "lo", "hi", "p", "p_adj", "method", "n",
        "clusters", "se", "unit",
    ]  # fmt: skip
    assert set(frame["segment"]) == {"all"}
    assert set(frame["variant"]) == {"treatment"}
    assert frame["metric"].to_list() == [metric.name for metric in default_metrics()]
    assert frame["estimate"][0] == found["success"].estimate
    assert frame["verdict"].to_list() == ["better", "worse", "unclear", "unclear"]


def test_frames_keep_what_is_unknown_unknown() -> None:
    rows = {"success": [0.0] * 4, "cost_usd": [1.0, 2.0, 3.0, 5.0]}
    columns = {f"{arm}.{k}": v for k, v in rows.items() for arm in ("control", "treatment")}
    metrics = [Rate("success"), RatioOfSums("cost_usd", "success", name="cost_per_success")]
    found = report(Sums.of(columns), metrics=metrics)
    polars, pandas = found.to_polars(), found.to_pandas()
    assert polars["relative"].to_list() == [None, None]
    assert math.isnan(polars["estimate"][1])
    assert pandas["relative"].dtype == "float64"
    assert list(pandas.columns) == polars.columns
    assert "unknown" in repr(found)
    assert "unknown" in found._repr_html_()


def test_a_metric_is_found_by_its_name() -> None:
    found = report()
    assert found["success"] is found.effects["success"]
    with pytest.raises(AnalysisError, match="did you mean 'success'"):
        found["sucess"]


def test_health_counts_what_was_left_out() -> None:
    found = report(unpaired=["a", "b"], expected=None)
    assert found.srm is None
    checks = {check.name: check for check in found.health}
    assert checks["traffic"].value == "240 : 240 runs"
    assert checks["traffic"].state == "unknown"
    assert "no shares were promised, so none are tested" in repr(found)
    assert checks["scores"].value == "2 items left out"
    assert checks["scores"].state == "warn"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"metrics": [Rate("success"), Rate("success")]}, "two metrics are called 'success'"),
        ({"treatment": "control"}, "control and treatment are both 'control'"),
        ({"counts": {"control": 1, "treatmnt": 1}}, "'treatment' has no count.*'treatmnt'"),
        ({"expected": {"control": 1, "other": 1}}, "'other' has no count"),
        ({"method": "always"}, "no method 'always'"),
        ({"alpha": 2.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_analysed_is_refused(
    given: dict[str, Any],  # whatever `analyze` takes
    words: str,
) -> None:
    with pytest.raises(AnalysisError, match=words):
        report(**given)


def test_one_item_is_refused() -> None:
    sums = Sums.of({"control.success": [0], "treatment.success": [1]})
    with pytest.raises(AnalysisError, match="at least 2"):
        report(sums, metrics=[Rate("success")])


def test_a_fixed_report_names_its_method() -> None:
    found = report(method="fixed")
    assert found.method == "fixed"
    assert "one look" in found.reason
    assert "95 % fixed interval" in found.decision.text


def test_a_report_loads_no_frames_until_they_are_asked_for() -> None:
    code = (
        "import sys, promptstudio_lab.experiments.report;"
        "late = ('altair', 'pandas', 'polars', 'scipy', 'statsmodels');"
        "print([m for m in late if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
