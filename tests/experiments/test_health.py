from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from promptstudio_lab.experiments import health
from promptstudio_lab.experiments.rows import rows_of
from promptstudio_lab.metrics import Rate
from promptstudio_lab.stats.sums import Sums, SumsApart
from tests.experiments.parts import frame, items, report
from tests.experiments.test_rows import COLUMNS, read, told

if TYPE_CHECKING:
    from promptstudio_lab.experiments.health import Check
    from promptstudio_lab.experiments.report import Report


def check(found: Report, name: str) -> Check:
    return next(one for one in found.health if one.name == name)


def test_a_sound_experiment_is_ok_everywhere() -> None:
    found = told(read())
    assert {one.name: one.state for one in found.health} == dict.fromkeys(
        ("traffic", "exposures", "scores", "clusters", "novelty", "plausibility", "method"), "ok"
    )


def test_shares_that_were_not_kept_make_it_invalid() -> None:
    found = report(counts={"control": 400, "treatment": 240})
    assert check(found, "traffic").state == "bad"
    assert found.decision.action == "invalid"
    assert found.decision.because == (check(found, "traffic").meaning,)


def arms(old: int, new: int, **more: object) -> Report:
    random = np.random.default_rng(2)
    sums = SumsApart({
        name: Sums.of({"success": (random.random(n) < rate).astype(float)})
        for name, n, rate in (("control", old, 0.3), ("treatment", new, 0.6))
    })  # fmt: skip
    usual = {"metrics": [Rate("success")], "counts": {"control": old, "treatment": new}}
    return report(sums, **{**usual, **more})  # type: ignore[arg-type] # sums of either kind


def test_units_that_come_are_tested_at_every_look() -> None:
    assert "sequential SRM" in check(arms(500, 510), "traffic").meaning
    broken = arms(900, 500)
    assert check(broken, "traffic").state == "bad"
    assert "sequential p <" in broken.decision.text


@pytest.mark.parametrize(
    ("multi", "state", "voids"),
    [(None, "unknown", False), (0, "ok", False), (30, "warn", False), (60, "bad", True)],
)
def test_units_that_met_two_variants(multi: int | None, state: str, voids: object) -> None:
    found = health.exposures(multi, 1000, apart=True)
    assert (found.state, found.voids) == (state, voids)


def test_duplicates_of_a_frame_are_counted() -> None:
    table = frame(apart=True)
    twice = table.head(40).with_columns(
        variant=pl.when(pl.col("variant") == "a").then(pl.lit("b")).otherwise(pl.lit("a"))
    )
    found = told(read(pl.concat([table, twice])))
    assert check(found, "exposures").value == "40 met two variants"
    assert found.decision.action == "invalid"


def test_scores_that_are_missing() -> None:
    assert health.missing(0, 100, (), apart=False).state == "ok"
    assert health.missing(3, 97, (), apart=False).state == "warn"
    lost = health.missing(10, 90, (), apart=False)
    assert (lost.state, lost.voids) == ("bad", True)
    assert "from one variant only" in lost.meaning
    assert "lack a value" in health.missing(10, 90, (), apart=True).meaning
    unmeasured = health.missing(0, 100, ("quality\u202e",), apart=False)
    assert unmeasured.state == "warn"
    assert "no run has a value of quality\\u202e" in unmeasured.meaning


def test_few_clusters_are_rough_and_very_few_are_bad() -> None:
    assert [health.clusters(n, 100).state for n in (100, 30, 29, 5, 4)] == [
        "ok", "ok", "warn", "warn", "bad",
    ]  # fmt: skip
    assert check(told(read(cluster="document")), "clusters").value == "100 clusters"


def test_an_effect_that_fades_is_a_warning() -> None:
    random = np.random.default_rng(1)
    n = 400
    base = random.normal(size=n)
    gain = np.where(np.arange(n) < n // 2, 1.5, 0.0)
    fading = base + gain + 0.5 * random.normal(size=n)
    table = pl.DataFrame({
        "unit": [str(i) for i in range(n)] * 2,
        "variant": ["a"] * n + ["b"] * n,
        "success": np.concatenate([base, fading]) / 20 + 0.5,
        "cost_usd": [1.0, 2.0] * n,
        "latency_ms": np.concatenate([base, base]) + 100,
    })  # fmt: skip
    found = told(rows_of(table, COLUMNS, control="a", treatment="b"))
    assert check(found, "novelty").state == "warn"
    assert any(line.startswith("novelty: the effect on success") for line in found.decision.because)
    assert check(told(read()), "novelty").state == "ok"


def test_halves_that_nobody_can_compare_are_not_called_steady() -> None:
    assert check(report(), "novelty").state == "unknown"
    assert "too few" in check(told(read(frame(30))), "novelty").meaning
    same = told(read())["success"]
    flat = replace(same, se=0.0)
    assert health.novelty(flat, flat, "success", 100).state == "unknown"


def test_what_is_too_good_to_be_true_is_checked_first() -> None:
    sums = Sums.of({"control.success": [1, 0, 0, 0] * 60, "treatment.success": [1, 1, 1, 0] * 60})
    found = report(sums, metrics=[Rate("success")])
    assert check(found, "plausibility").state == "warn"
    assert "check instrumentation" in " ".join(found.decision.because)
    assert found.decision.action == "ship", "a warning is no verdict"
    assert check(report(), "plausibility").state == "ok"
    lift = [("success", report()["success"])]
    assert health.plausible(lift, usual=0.1).state == "warn", "five times the usual size"
    assert health.plausible(lift, usual=0.2).state == "ok"


def test_an_unpaired_analysis_of_paired_data_is_corrected_and_said() -> None:
    found = report(paired=False)
    assert found["success"] == report()["success"]
    told = check(found, "method")
    assert told.state == "warn"
    assert "ran on the same items: this is the paired one, worth 1." in told.meaning
    assert "an unpaired analysis was asked for" in found.reason
    same = Sums.of({"control.success": [0, 1] * 40, "treatment.success": [0, 1] * 40})
    assert (
        "worth"
        not in check(report(same, metrics=[Rate("success")], paired=False), "method").meaning
    )


def test_a_paired_analysis_of_units_apart_is_corrected_and_said() -> None:
    assert "each unit met one variant only" in check(arms(400, 400, paired=True), "method").meaning


def test_a_fixed_interval_at_a_later_look_is_answered_by_a_safe_one() -> None:
    first, later = report(method="fixed"), report(method="fixed", look=3)
    assert (first.method, later.method) == ("fixed", "anytime")
    assert later["success"] == report()["success"]
    assert "this is look 3, and a fixed interval" in check(later, "method").meaning
    assert check(first, "method").state == "ok"
    assert check(report(items(), look=3), "method").state == "ok"
