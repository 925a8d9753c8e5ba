from __future__ import annotations

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.multiplicity import adjust
from promptstudio_lab.stats.sums import Sums
from tests.experiments.test_report import EVIL, Tags

METRICS = (Rate("success"), Mean("cost_usd"))


def part(name: str, lift: float, seed: int = 7, n: int = 300, control: str = "prod") -> Part:
    """Return a treatment that succeeds `lift` more often than the control."""
    random = np.random.default_rng(seed)
    hard, luck = random.beta(2, 2, n), random.random((2, n))
    cost = random.lognormal(-9, 0.3, n)
    sums = Sums.of(
        {
            f"{control}.success": (luck[0] < hard).astype(float),
            f"{name}.success": (luck[1] < hard + lift).astype(float),
            f"{control}.cost_usd": cost,
            f"{name}.cost_usd": cost * 1.1,
        }
    )
    return Part(name, sums, {control: n, name: n}, {control: 1.0, name: 1.0})


def compared(*parts: Part, control: str = "prod", method: str = "fixed") -> Comparisons:
    reports = analyze_all(
        parts,
        name="triage",
        control=control,
        metrics=METRICS,
        method="fixed" if method == "fixed" else "anytime",
    )
    return Comparisons("triage", control, tuple(reports))


def test_the_best_of_what_ships_ships_and_the_rest_is_named() -> None:
    found = compared(part("short", 0.2), part("cot", 0.4), part("none", 0.0, seed=2))
    decision = found.decision
    assert (decision.action, decision.variant) == ("ship", "cot")
    assert "short would ship, too, with a smaller gain" in decision.text
    assert [report.treatment for report in found] == ["short", "cot", "none"]
    assert found["none"].decision.action == "keep_running"
    assert len(decision.because) == 3
    with pytest.raises(AnalysisError, match="'short'"):
        found["shrt"]


def test_comparisons_share_the_error_as_holm_says() -> None:
    parts = [part(f"v{n}", lift, seed=n) for n, lift in enumerate((0.0, 0.05, 0.12, 0.3))]
    found = compared(*parts)
    alone = [compared(one)[one.treatment]["success"].p_value for one in parts]
    expected = adjust(alone, "holm").p_values
    adjusted = [report.findings[0].p_adjusted for report in found]
    assert adjusted == pytest.approx(expected, rel=1e-9)
    for report, p_value in zip(found, adjusted, strict=True):
        clear = not report["success"].low <= 0 <= report["success"].high
        assert clear == (p_value < 0.05), "the interval says what the p-value says"


def test_no_treatment_is_wrongly_found_better_more_often_than_promised() -> None:
    wrong = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        base = random.normal(size=60)
        sums = [
            Sums.of({"prod.success": base, f"v{n}.success": base + random.normal(size=60)})
            for n in range(5)
        ]
        parts = [Part(f"v{n}", each, {"prod": 60, f"v{n}": 60}) for n, each in enumerate(sums)]
        reports = analyze_all(
            parts, name="a", control="prod", metrics=[Mean("success")], method="fixed"
        )
        wrong += any(report.decision.action in {"ship", "stop"} for report in reports)
    assert wrong / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_what_is_invalid_comes_first_and_a_worse_one_stops() -> None:
    broken = part("broken", 0.3)
    broken = Part("broken", broken.sums, {"prod": 300, "broken": 200}, {"prod": 1.0, "broken": 1.0})
    assert compared(part("short", 0.3), broken).decision.action == "invalid"
    worse = compared(part("a", -0.4), part("b", -0.3))
    assert (worse.decision.action, worse.decision.variant) == ("stop", "prod")
    assert "b likewise" in worse.decision.text


def test_faces_say_the_same_and_names_are_only_text() -> None:
    found = compared(
        part(f"b{EVIL}", 0.3, control=EVIL), part("c", 0.0, control=EVIL), control=EVIL
    )
    html = found._repr_html_()
    tags = Tags(html)
    assert not tags.tags & {"img", "script"}
    assert "onerror" not in tags.attributes
    assert "onerror=alert(1)" in " ".join(tags.words)
    assert repr(found).startswith("SHIP: ")
    frame = found.to_polars()
    assert frame.height == 2 * len(METRICS)
    assert found.to_pandas().shape == frame.shape
    assert set(frame["variant"]) == {f"b{EVIL}", "c"}
