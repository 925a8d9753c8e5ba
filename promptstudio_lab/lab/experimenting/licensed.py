"""Which look at an experiment its plan allows now, and what somebody asked for instead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.experiments import store
from promptstudio_lab.experiments.plan.looks import Due, Schedule, due
from promptstudio_lab.experiments.plan.looks import read as looks_of
from promptstudio_lab.experiments.store.looks import planned_looks
from promptstudio_lab.stats.bayes.effect import FLAT, Prior
from promptstudio_lab.stats.looks import rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptstudio_lab.experiments.analysis import Part
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.warehouse.connect import Session

_ROUNDING = 1e-9


class Judging(NamedTuple):
    """How a report is judged.

    Attributes:
        looks: how often somebody may look.
        prior: what was believed of every relative effect: for description.
        remarks: what was asked for and is not done.
    """

    looks: Looks
    prior: Prior = FLAT
    remarks: tuple[str, ...] = ()

    @property
    def method(self) -> Method:
        """The method where no look was planned."""
        return "fixed" if self.looks == "fixed" else "anytime"


def judging(started: Started, method: str | None, alpha: float, prior: Prior) -> Judging:
    """Return how a report is judged: by the looks that its plan froze, whatever is asked for.

    Args:
        started: the experiment.
        method: what somebody asked for, or None for the plan's own.
        alpha: the error that is accepted.
        prior: what was believed of every relative effect.

    Raises:
        AnalysisError: if there is no such method.
    """
    planned = looks_of(started.plan)
    if method is None:
        return Judging(planned, prior)
    rule(method, alpha)
    if isinstance(planned, Schedule):
        asked = f"{method} intervals were asked for, but the plan froze {planned.words}"
        return Judging(planned, prior, (f"{asked}: what is shown is the plan's own",))
    return Judging("fixed" if method == "fixed" else "anytime", prior)


def licensed(
    session: Session,
    started: Started,
    looks: Looks,
    parts: Sequence[Part],
    state: str,
    shares: Mapping[str, float],
) -> list[Part]:
    """Return the parts of a report, each with where its planned looks stand.

    Args:
        session: a reading session.
        started: the experiment.
        looks: how often somebody may look.
        parts: each treatment beside the control.
        state: of the data; "" of somebody's own rows, which are a look that was taken where they
            are as many.
        shares: of the traffic, by variant, where each unit meets one of them.
    """
    if not isinstance(looks, Schedule):
        return list(parts)
    ended = store.standing(session, started.id)[0] != "running"
    control = next(iter(started.variants))

    def standing(part: Part) -> Due:
        taken = planned_looks(session, started, part.treatment)
        pair = shares[control] + shares[part.treatment] if shares else 1.0
        planned = max(1, round((looks.n or part.items) * pair))
        share = part.items / planned
        alike = (one.state for one in taken if abs(one.information - share) < _ROUNDING)
        mine = state or next(alike, "")
        return due(looks, planned, part.items, taken, state=mine, ended=ended, noun=part.noun)

    return [replace(part, due=standing(part)) for part in parts]
