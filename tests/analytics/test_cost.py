"""Sums of money where a part of it is unknown, simulated or saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from promptstudio_lab.analytics.cost import Cost, answered
from promptstudio_lab.analytics.keys import KEYS, columns, known
from promptstudio_lab.analytics.spending import sums, told
from promptstudio_lab.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

HUGE = 2**53 + 1  # no float holds it


def spent(
    calls: Sequence[tuple[str, int | None, bool]], taken: Sequence[tuple[str, int | None]] = ()
) -> Cost:
    schema: dict[str, Any] = {"model": pl.String, "cost": pl.Int64, "simulated": pl.Boolean}
    made = pl.LazyFrame(list(calls), schema=schema, orient="row")
    spared = pl.LazyFrame(
        list(taken), schema={"model": pl.String, "saved_cost": pl.Int64}, orient="row"
    )
    found = sums(made, spared, ["model"])
    total, simulated, saved = (int(found[name].sum()) for name in ("cost", "simulated", "saved"))
    return answered(("model",), told(found, ["model"], {}), (total, simulated, saved))


def test_unknown_is_never_nothing() -> None:
    cost = spent([("a", 3, False), ("a", None, False), ("b", None, False), ("c", 0, False)])
    shown = cost.frame.select("model", "calls", "priced_calls", "coverage", "cost_usd")
    assert shown.rows() == [
        ("b", 1, 0, 0.0, None),
        ("a", 2, 1, 0.5, pytest.approx(3e-9)),
        ("c", 1, 1, 1.0, 0.0),
    ]
    assert cost.sentence.startswith("At least $0.00000000300 was spent: 2 of 4 calls have a known")


def test_simulated_and_saved_money_stands_apart() -> None:
    cost = spent([("a", 5, False), ("a", 7, True), ("b", 9, True)], [("b", 4), ("b", None)])
    assert (cost.total, cost.simulated_total, cost.saved) == (5, 16, 4)
    by_model = {row["model"]: row for row in cost.frame.iter_rows(named=True)}
    assert by_model["b"]["calls"] == 0
    assert by_model["b"]["coverage"] is None
    assert by_model["b"]["cost_usd"] == 0.0
    assert (by_model["b"]["cache_hits"], by_model["b"]["saved_usd"]) == (2, pytest.approx(4e-9))
    assert "cached answers of 2 nodes saved at least $0.00000000400" in cost.sentence
    assert "2 simulated calls would have cost $0.0000000160" in cost.sentence


def test_totals_are_exact() -> None:
    assert spent([("a", HUGE, False), ("b", 1, False)]).total == HUGE + 1


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (spent([]), "No real call was made."),
        (
            spent([("a", None, False)]),
            "What 1 call cost is unknown: it has no known price.",
        ),
        (
            spent([("a", None, True)], [("a", None)]),
            (
                "No real call was made; cached answers of 1 node saved an unknown amount; "
                "1 simulated call would have cost an unknown amount."
            ),
        ),
        (
            spent([("a", 2 * 10**9, False)]),
            "$2.00 was spent on 1 call, with a known price.",
        ),
    ],
)
def test_one_sentence_says_what_is_known(cost: Cost, said: str) -> None:
    assert cost.sentence == said
    assert repr(cost).startswith(said)
    assert f"<b>{said}</b></p>" in cost._repr_html_()


def test_names_are_only_ever_text() -> None:
    page = spent([("<b>&", None, False)])._repr_html_()
    assert '<th scope="row">&lt;b&gt;&amp;</th>' in page
    assert "<td>unknown</td>" in page


def test_a_long_frame_says_what_it_leaves_out() -> None:
    page = spent([(f"m{n:02}", n, False) for n in range(23)])._repr_html_()
    assert page.count("<tr>") == 21
    assert page.count("<rect") == 12
    assert "… 3 more" in page


def test_what_cost_is_told_by() -> None:
    assert set(columns(known(list(KEYS)))) == {name for key in KEYS.values() for name in key}
    with pytest.raises(AnalysisError, match="did you mean 'model'"):
        known("modle")
    with pytest.raises(AnalysisError, match="say what cost is to be told by"):
        known([])
