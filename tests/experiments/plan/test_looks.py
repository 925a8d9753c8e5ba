"""Planned looks: which is due, which is not, and what all of them together may decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import binom

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.plan.looks import (
    Due,
    Schedule,
    Taken,
    due,
    frozen_looks,
    named,
    read,
)
from promptstudio_lab.experiments.plan.sizing import size, units_to_see
from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.bayes.effect import Prior
from promptstudio_lab.stats.sequential.planned import Look
from promptstudio_lab.stats.sums import Sums
from tests.experiments.parts import items

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report

FIVE = Schedule(5, n=200)


def standing(have: int, *taken: Taken, state: str = "now", ended: bool = False) -> Due:
    return due(FIVE, 200, have, taken, state=state, ended=ended, noun=ITEMS)


def took(share: float, decision: str = "keep_running") -> Taken:
    return Taken(f"at {share}", share, decision)


def judged(where: Due, sums: Sums | None = None, **more: Any) -> Report:  # as `analyze_all` takes
    sums = items() if sums is None else sums
    counts = {"control": sums.n, "treatment": sums.n}
    part = Part("treatment", sums, counts, due=where)
    usual = {"name": "e", "control": "control", "metrics": [Rate("success")]}
    (found,) = analyze_all([part], **{**usual, **more})
    return found


def test_a_look_is_due_when_its_share_has_come() -> None:
    assert standing(39).look is None
    assert standing(40).look == Look((0.2,), 1, 5)
    assert standing(47).look == Look((0.235,), 1, 5)
    assert standing(95, took(0.2)).look == Look((0.2, 0.475), 2, 5)
    assert standing(130, took(0.2)).look == Look((0.2, 0.65), 3, 5), "one was passed by"
    assert standing(60, took(0.2)).look is None, "this one was taken"
    assert standing(200, took(0.2), took(0.8)).last


def test_the_same_data_are_the_same_look() -> None:
    again = standing(80, took(0.2), Taken("now", 0.4, "ship"), took(0.6))
    assert again.look == Look((0.2, 0.4), 2, 5)
    assert again.before is None
    later = standing(130, took(0.2), Taken("then", 0.4, "ship"))
    assert later.before == (2, "ship")
    assert "Look 2 had already said ship" in judged(later).reason


def test_an_extra_look_decides_nothing_however_clear_it_is() -> None:
    clear = judged(standing(30))
    assert clear["success"].low > 0, "even intervals that are right at any time are clear"
    assert (clear.decision.action, clear.decision.variant) == ("keep_running", None)
    assert "look 1 of 5 is due at 40 items, and there are 30" in clear.decision.text
    assert clear.method == "anytime"
    (check,) = (check for check in clear.health if check.name == "method")
    assert check.state == "warn"
    assert judged(standing(40)).decision.action == "ship"


def test_what_the_last_look_said_stands() -> None:
    over = standing(260, took(0.8), took(1.0, "hold"))
    assert over.look is None
    found = judged(over)
    assert (found.decision.action, found.decision.variant) == ("hold", "control")
    assert "the last said hold" in found.decision.text
    assert judged(replace(over, said="ship")).decision.variant == "treatment"


def test_the_last_look_leaves_nothing_open() -> None:
    rest = items(n=200, lift=0.02)
    waiting = judged(standing(160, took(0.6)), rest)
    assert waiting.decision.action == "keep_running"
    assert "The next, look 5 of 5 is due at 200 items" in waiting.reason
    found = judged(standing(200, took(0.8)), rest)
    assert (found.decision.action, found.decision.variant) == ("hold", "control")
    assert found.decision.headline == "no winner yet at the last planned look"
    assert "The next" not in found.reason


def test_more_than_planned_spend_what_is_left_and_fewer_do_not() -> None:
    more = standing(230, took(0.8))
    assert more.look == Look((0.8, 1.15), 5, 5)
    assert "more came than was planned (230 of 200 items planned)" in judged(more).reason
    fewer = standing(150, took(0.6), ended=True)
    assert fewer.look == Look((0.6, 0.75), 5, 5)
    assert fewer.last
    assert "it ended with 150 of 200 items planned" in judged(fewer).reason
    assert fewer.look.bound(0.05) > Look((0.6, 1.0), 2, 2).bound(0.05)
    nothing = standing(150, Taken("then", 0.75, "hold"), ended=True)
    assert nothing.look is None, "it ended once"


def test_a_report_says_which_look_it_is_and_what_it_had_to_cross() -> None:
    found = judged(standing(80, took(0.2)))
    effect = found["success"]
    assert found.method == effect.method == "scheduled"
    assert "Look 2 of 5, at 40 % of the planned items: boundary z = 3.36" in found.reason
    assert "group sequential interval of look 2 of 5 (O'Brien-Fleming spending)" in found.reason
    assert (effect.high - effect.low) / 2 / effect.se == pytest.approx(3.40, abs=0.02)
    for face in (repr(found), found._repr_html_(), found.to_markdown(), found.to_html()):
        assert "boundary z = 3.36" in face.replace("&#61;", "=")
        assert "scheduled" in face or "group sequential" in face
    (row,) = found.to_polars().rows(named=True)
    assert (row["planned_look"], row["information"], row["method"]) == (2, 0.4, "scheduled")
    assert row["boundary"] == pytest.approx(3.3569, abs=2e-4)
    assert found.to_pandas()["planned_look"].tolist() == [2]
    assert found.self_check is not None
    two = judged(
        standing(80, took(0.2)), metrics=[Rate("success"), Mean("latency_ms", role="goal")]
    )
    assert "3.36 for success" in two.reason or "3.36 for latency" in two.reason
    assert " and 3." in two.reason


def test_a_report_without_planned_looks_has_none() -> None:
    sums = items()
    part = Part("treatment", sums, {"control": sums.n, "treatment": sums.n})
    (found,) = analyze_all([part], name="e", control="control", metrics=[Rate("success")])
    (row,) = found.to_polars().rows(named=True)
    assert (row["planned_look"], row["information"], row["boundary"]) == (None, None, None)
    assert found.due is None


def test_chances_and_losses_describe_and_decide_nothing() -> None:
    sums = items()
    flat, sceptic = (
        judged(standing(30), sums, prior=prior) for prior in (Prior(), Prior(0.0, 0.001))
    )
    (sure,), (unsure,) = (found.to_polars()["chance_to_win"].to_list() for found in (flat, sceptic))
    assert sure > 0.999 > unsure > 0.5
    assert flat["success"] == sceptic["success"]
    assert flat.decision == sceptic.decision
    for found, told in ((flat, "by a flat prior"), (sceptic, "by a prior of 0 %")):
        for face in (repr(found), found._repr_html_(), found.to_markdown()):
            words = face.replace("\u00a0", " ")
            assert told in words
            assert "Bayes does not license peeking" in words
            assert "expected loss" in words
    cost = judged(standing(30), sums, metrics=[Rate("success"), Mean("cost_usd")])
    worse = cost.to_polars().filter(metric="cost_usd")["chance_to_win"].item()
    assert worse < 0.01, "a rise of cost is no win"
    equal = Sums.of({"control.success": [1.0, 0.0] * 40, "treatment.success": [1.0, 0.0] * 40})
    assert judged(standing(80), equal).to_polars()["chance_to_win"].to_list() == [None]


def test_planned_looks_take_hardly_more_items_than_one() -> None:
    once, five = (
        size(Rate("success"), 0.1, have=240, method=looks).items for looks in ("fixed", Schedule(5))
    )
    even = size(Rate("success"), 0.1, have=240, method=Schedule(5, spending="pocock"))
    assert 1.02 < five / once < 1.04
    assert 1.2 < even.items / once < 1.23
    assert even.method == "scheduled"
    assert "5 planned looks (Pocock spending) take 1.2" in even.text
    assert five < size(Rate("success"), 0.1, have=240).items * 0.6, "looking at any time costs more"


def run(random: np.random.Generator, n: int, rates: tuple[float, float]) -> tuple[str, int]:
    """Return what an experiment said when it was looked at as planned, and at which look."""
    values = {
        name: (random.random(n) < rate).astype(float)
        for name, rate in zip(("control.success", "treatment.success"), rates, strict=True)
    }
    plan, taken = Schedule(5, n=n), list[Taken]()
    for number in range(1, 6):
        have = -(-n * number // 5)
        where = due(plan, n, have, taken, state=str(number), ended=False, noun=ITEMS)
        sums = Sums.of({name: column[:have] for name, column in values.items()})
        found = judged(where, sums)
        if found.decision.action in {"ship", "stop"}:
            return found.decision.action, number
        taken.append(Taken(str(number), have / n, found.decision.action))
    return found.decision.action, 5


def test_five_looks_keep_the_error_and_the_planned_power() -> None:
    n = units_to_see(0.12, 0.7, Schedule(5), alpha=0.05, power=0.8)
    random, count = np.random.default_rng(20261127), 250
    null = [run(random, n, (0.5, 0.5)) for _ in range(count)]
    wrong = sum(action in {"ship", "stop"} for action, _ in null)
    assert wrong <= binom.isf(1e-3, count, 0.05), "as five looks by 5 % each would not be"
    assert all(
        action == "hold" for action, look in null if look == 5 and action not in {"ship", "stop"}
    )
    real = [run(random, n, (0.44, 0.56)) for _ in range(count)]
    seen = sum(action == "ship" for action, _ in real)
    assert seen >= binom.ppf(1e-3, count, 0.8)
    assert np.mean([look for _, look in real]) < 4.5, "it ends early where it can"


def test_a_plan_says_nothing_of_looks_unless_they_are_planned() -> None:
    assert frozen_looks("anytime") == {}
    assert read({}) == "anytime"
    assert read(frozen_looks("fixed")) == "fixed"
    assert read(frozen_looks(FIVE)) == FIVE
    assert read(frozen_looks(Schedule(5), 200)) == FIVE
    uneven = Schedule((0.5, 0.8, 1.0), "pocock", 90)
    assert read(frozen_looks(uneven)) == uneven
    with pytest.raises(AnalysisError, match=r"ps\.Schedule\(…, n=…\)"):
        frozen_looks(Schedule(5))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"looks": 0}, "from 1 to 50"),
        ({"looks": 51}, "from 1 to 50"),
        ({"looks": (0.5, 0.5, 1.0)}, "rising up to 1"),
        ({"looks": (0.5, 0.9)}, "rising up to 1"),
        ({"looks": 3, "spending": "obff"}, "did you mean 'obf'"),
        ({"looks": 5, "n": 3}, "too few for 5 looks"),
    ],
)
def test_looks_that_nobody_can_take_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        Schedule(**wrong)
    with pytest.raises(AnalysisError, match="no way to look"):
        named("often")
