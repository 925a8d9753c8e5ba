"""Quality against cost: who is on the front, and who is beaten by somebody cheaper and better."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.still.axes import (
    MUTED,
    PAPER,
    RIGHT,
    TREATMENT,
    Axes,
    path,
    picture,
)
from promptstudio_lab.experiments.faces.still.curves import scaled
from promptstudio_lab.experiments.tradeoff import tradeoff
from promptstudio_lab.experiments.wording import amount, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.outcome import Outcome
    from promptstudio_lab.experiments.tradeoff import Place

_ROOM = 0.14
_LETTER = 7


def pareto(outcomes: Sequence[Outcome]) -> str | None:
    """Return quality against cost of the control and every treatment; None where one is unknown.

    Args:
        outcomes: one a treatment, of one experiment.
    """
    found = tradeoff(outcomes)
    if found is None:
        return None
    money, (times, sign, word) = scaled(found.cost.unit)[1], scaled(found.quality.unit)
    places = found.places
    axes = Axes.around(
        [end for place in places for end in (place.cost, *(place.cost_ends or ()))],
        [times * end for place in places for end in (place.quality, *(place.quality_ends or ()))],
        _ROOM,
    )
    front = sorted((place.cost, times * place.quality) for place in places if not place.beaten_by)
    dashed = path([(axes.x(cost), axes.y(quality)) for cost, quality in front])
    marks = "".join(_mark(axes, place, times) for place in places)
    told = "; ".join(
        f"{place.variant} {amount(place.quality, found.quality.unit)} for"
        f" {amount(place.cost, found.cost.unit)}{', beaten' if place.beaten_by else ''}"
        for place in places
    )
    title = f"{found.quality.label}, {word}" if word else found.quality.label
    return picture(
        axes.grid(f"{found.cost.label} per run", title, (money, sign))
        + f'<path d="{dashed}" fill="none" stroke="currentColor" stroke-opacity=".45"'
        f' stroke-dasharray="4 3"/>{marks}',
        told,
    )


def _mark(axes: Axes, place: Place, times: float) -> str:
    colour = MUTED if place.beaten_by else TREATMENT
    x, y = axes.x(place.cost), axes.y(times * place.quality)
    arms = []
    if place.cost_ends is not None:
        low, high = (axes.x(end) for end in place.cost_ends)
        arms.append(f"M{low} {y}H{high}")
    if place.quality_ends is not None:
        low, high = (axes.y(times * end) for end in place.quality_ends)
        arms.append(f"M{x} {low}V{high}")
    name = shortened(place.variant)
    # Beside its point, on whichever side there is room.
    inside = x + 9 + _LETTER * len(name) < RIGHT
    at, side = (x + 9, "name") if inside else (x - 9, "name end")
    fill = PAPER if place.beaten_by else colour
    return (
        f'<path d="{"".join(arms)}" fill="none" style="stroke:{colour}" stroke-width="1.5"/>'
        f'<circle cx="{x}" cy="{y}" r="5" style="fill:{fill};stroke:{colour}" stroke-width="2"/>'
        f'<text class="{side}" x="{at}" y="{y - 8}" paint-order="stroke"'
        f' style="stroke:{PAPER};stroke-width:3px">{escape(name)}</text>'
    )
