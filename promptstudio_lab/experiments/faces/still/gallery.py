"""Every picture that a report has something to show in, side by side."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.faces.binned import arms, binary
from promptstudio_lab.experiments.faces.still.curves import course, flips, measured, spread
from promptstudio_lab.experiments.faces.still.front import pareto
from promptstudio_lab.experiments.wording import level, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.outcome import Outcome

_SPREADS = 3  # so many distributions tell enough


class _Figure(NamedTuple):
    title: str
    about: str
    svg: str


def gallery(outcome: Outcome, *, alone: bool = True) -> str:
    """Return the pictures of one treatment as HTML: what cannot be drawn is left out.

    The confidence sequence of the first goal, quality against cost, what flipped, and how values
    are spread. The rows behind the report are read for them.

    Args:
        outcome: the report.
        alone: whether it is no part of a comparison of several, which has one front for all.
    """
    placed = _front([outcome]) if alone else ()
    return _shown([*_of_goal(outcome), *placed, *_spreads(outcome)])


def front(outcomes: Sequence[Outcome]) -> str:
    """Return quality against cost of several treatments, as HTML."""
    return _shown(list(_front(outcomes)))


def _shown(figures: Sequence[_Figure]) -> str:
    if not figures:
        return ""
    inside = "".join(
        f"<figure><figcaption><b>{escape(visible(figure.title))}</b>"
        f" {escape(visible(figure.about))}</figcaption>{figure.svg}</figure>"
        for figure in figures
    )
    return f'<div class="psl-report-figures">{inside}</div>'


def _of_goal(outcome: Outcome) -> Iterator[_Figure]:
    goal = next((one for one in outcome.findings if one.metric.role == "goal"), None)
    if goal is None:
        return
    label, sure = goal.metric.label, level(goal.effect.alpha)
    about = f"{label}: the change and its {sure} {outcome.usual} interval"
    if drawn := _drawn(lambda: course(outcome, goal)):
        yield _Figure("How the answer came about", about, drawn)
    if flipped := _drawn(lambda: flips(outcome, goal)):
        yield _Figure("What flipped", f"{label}, {outcome.noun.one} by {outcome.noun.one}", flipped)


def _front(outcomes: Sequence[Outcome]) -> Iterator[_Figure]:
    if drawn := pareto(outcomes):
        about = "up and to the left is better; a hollow point is beaten"
        yield _Figure("Quality against cost", about, drawn)


def _spreads(outcome: Outcome) -> Iterator[_Figure]:
    seen: set[tuple[str, ...]] = set()
    for finding in outcome.findings:
        raw = finding.metric.raw
        if len(seen) == _SPREADS or raw in seen or not _worth(outcome, finding):
            continue
        if drawn := _drawn(lambda finding=finding: spread(outcome, finding)):  # type: ignore[misc] # bound now
            seen.add(raw)
            about = f"one value a {outcome.noun.one}; dashed lines are medians"
            yield _Figure(f"How {measured(finding)} is spread", about, drawn)


def _worth(outcome: Outcome, finding: Finding) -> bool:
    """Return whether a metric has values of its own: neither only 0 and 1, nor all the same."""
    try:
        values = list(arms(outcome.rows, finding).values())
    except AnalysisError:
        return False
    several = any(some.min() < some.max() for some in values)
    return len(finding.metric.raw) == 1 and several and not all(map(binary, values))


def _drawn(draw: Callable[[], str | None]) -> str | None:
    try:
        return draw()
    except AnalysisError:
        return None  # from sums alone, or of too few rows
