"""How an answer came about, and how values are spread."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from promptstudio_lab.experiments.faces.binned import arms, binary, histogram
from promptstudio_lab.experiments.faces.still.axes import (
    BOTTOM,
    CONTROL,
    LEFT,
    MUTED,
    PAPER,
    RIGHT,
    TOP,
    TREATMENT,
    Axes,
    key,
    path,
    picture,
)
from promptstudio_lab.experiments.timeline import timeline
from promptstudio_lab.experiments.wording import amount, estimate, interval, shortened

if TYPE_CHECKING:
    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.outcome import Outcome
    from promptstudio_lab.stats.sums import Floats

_BINS = 32
_FAR = 0.995  # a few far values would press all others into one bar


def scaled(unit: str) -> tuple[float, str, str]:
    """Return what values are multiplied with, the sign beside numbers, and the word in a title.

    >>> scaled("share"), scaled("usd per success"), scaled("ms")
    ((100.0, '%', ''), (1.0, '$', ''), (1.0, '', 'ms'))
    """
    if unit == "share":
        return 100.0, "%", ""
    return (1.0, "$", "") if unit.startswith("usd") else (1.0, "", unit)


def course(outcome: Outcome, finding: Finding) -> str:
    """Return the interval after the first items, after some more, up to all.

    Args:
        outcome: the report.
        finding: the metric.

    Raises:
        AnalysisError: if there are no rows, or too few.
    """
    metric = finding.metric
    moments = timeline(outcome.rows, metric, alpha=finding.effect.alpha, method=outcome.usual)
    scale, sign, word = scaled(metric.unit)
    points = [(moment.n, *(scale * value for value in _three(moment.effect))) for moment in moments]
    # The first intervals are wider than anything that follows.
    settled = [end for point in points[len(points) // 8 :] for end in point[2:]]
    axes = Axes.around([point[0] for point in points], [0.0, *settled])
    high = [(axes.x(n), axes.y(top)) for n, _, _, top in points]
    low = [(axes.x(n), axes.y(bottom)) for n, _, bottom, _ in points]
    line = [(axes.x(n), axes.y(value)) for n, value, _, _ in points]
    zero, (x, y) = axes.y(0.0), line[-1]
    title = f"change, {word or 'points' if metric.unit == 'share' else word or 'dollars'}"
    return picture(
        axes.grid(f"{outcome.noun.many} so far", title, ("", "" if sign == "%" else sign))
        + f'<path d="{path([*high, *reversed(low)])}Z" style="fill:{TREATMENT}" opacity=".18"/>'
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{zero}" y2="{zero}" stroke="currentColor"'
        f' stroke-opacity=".6"/><path d="{path(line)}" fill="none" stroke-width="2"'
        f' style="stroke:{TREATMENT}"/><circle cx="{x}" cy="{y}" r="4"'
        f' style="fill:{TREATMENT};stroke:{PAPER}" stroke-width="1.5"/>',
        f"{metric.label} after {moments[-1].n} {outcome.noun.many}:"
        f" {estimate(finding.effect, metric.unit)}, {interval(finding.effect, metric.unit)}",
    )


def spread(outcome: Outcome, finding: Finding) -> str:
    """Return how the values of both variants are spread, with their medians.

    Args:
        outcome: the report.
        finding: the metric.

    Raises:
        AnalysisError: if there are no rows with its values.
    """
    metric = finding.metric
    scale, sign, word = scaled(metric.unit)
    values = {name: scale * some for name, some in arms(outcome.rows, finding).items()}
    both = np.concatenate(list(values.values()))
    far = float(np.quantile(both, _FAR))
    near = {name: np.minimum(some, far) for name, some in values.items()}
    edges, shares = histogram(near, _BINS)
    axes = Axes.around(edges.tolist(), [0.0, 100 * max(map(max, shares.values()))])
    parts, names = [], []
    for (name, some), colour in zip(values.items(), (CONTROL, TREATMENT), strict=True):
        parts.append(_steps(axes, edges, shares[name], colour))
        parts.append(_median(axes, float(np.median(some)), colour))
        names.append((shortened(name), colour))
    beyond = " (the last bar: all beyond)" if far < both.max() else ""
    what = f"{measured(finding)}, {word}" if word else measured(finding)
    medians = ", ".join(
        f"{name} {amount(float(np.median(some)) / scale, metric.unit)}"
        for name, some in values.items()
    )
    return picture(
        axes.grid(f"{what}{beyond}", f"share of {outcome.noun.many}", (sign, "%"))
        + "".join(parts)
        + key(names),
        f"{measured(finding)}, medians: {medians}",
    )


def flips(outcome: Outcome, finding: Finding) -> str | None:
    """Return on how many items one variant succeeded and the other did not; None if not so simple.

    Args:
        outcome: the report.
        finding: the metric.
    """
    rows = outcome.rows
    values = list(arms(rows, finding).values())
    if rows.paired is None or any(not binary(some) for some in values):
        return None
    old, new = (some > 0.5 for some in values)  # noqa: PLR2004 — 0 or 1
    counts = [(old & new).sum(), (~old & new).sum(), (old & ~new).sum(), (~old & ~new).sum()]
    better = finding.metric.better == "higher"
    good, bad = "var(--jp-success-color1, #2e7d32)", "var(--jp-error-color1, #d32f2f)"
    names = (shortened(rows.control), shortened(rows.treatment))
    looks = [
        ("both", MUTED),
        (f"only {names[1]}", good if better else bad),
        (f"only {names[0]}", bad if better else good),
        ("neither", "var(--jp-border-color2, #bdbdbd)"),
    ]
    return _bars(finding, [int(count) for count in counts], looks)


def measured(finding: Finding) -> str:
    """Return what was measured, in words: a quantile is of the same values as the mean."""
    return finding.metric.label.rpartition(" p")[0] or finding.metric.label


def _bars(finding: Finding, counts: list[int], looks: list[tuple[str, str]]) -> str:
    left, wide, whole, parts = 108, RIGHT - 108 - 74, sum(counts), []
    for at, (count, (name, colour)) in enumerate(zip(counts, looks, strict=True)):
        y, share = 16 + 46 * at, count / whole
        width = round(share * wide / max(counts) * whole, 1)
        parts.append(
            f'<text class="end" x="{left - 8}" y="{y + 17}">{escape(name)}</text>'
            f'<rect x="{left}" y="{y}" width="{max(width, 1.0)}" height="26" rx="3"'
            f' style="fill:{colour}" opacity=".85"/><text class="name" x="{left + width + 8}"'
            f' y="{y + 17}">{count:,} <tspan class="tick">{100 * share:.1f} %</tspan></text>'
        )
    told = ", ".join(f"{name} {count}" for (name, _), count in zip(looks, counts, strict=True))
    return picture("".join(parts), f"{finding.metric.label}: {told}", BOTTOM)


def _steps(axes: Axes, edges: Floats, shares: list[float], colour: str) -> str:
    points = [(axes.x(float(edges[0])), axes.y(0.0))]
    for at, share in enumerate(shares):
        y = axes.y(100 * share)
        points += [(axes.x(float(edges[at])), y), (axes.x(float(edges[at + 1])), y)]
    points.append((axes.x(float(edges[-1])), axes.y(0.0)))
    return (
        f'<path d="{path(points)}Z" style="fill:{colour};stroke:{colour}" fill-opacity=".22"'
        ' stroke-width="1.5" stroke-linejoin="round"/>'
    )


def _median(axes: Axes, value: float, colour: str) -> str:
    x = axes.x(value)
    return (
        f'<line x1="{x}" x2="{x}" y1="{TOP + 16}" y2="{BOTTOM}" style="stroke:{colour}"'
        ' stroke-width="1.5" stroke-dasharray="3 3"><title>median</title></line>'
    )


def _three(effect: Any) -> tuple[float, float, float]:  # an Effect
    return effect.estimate, effect.low, effect.high
