"""What a graph shows: boxes with their figures, arrows, and the rows that a choice stands for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import polars as pl

WIDTH, HEIGHT = 134, 42


class Figures(NamedTuple):
    """What something took.

    Attributes:
        times: how often it ran.
        cost_usd: what that cost; None where it is not known.
        latency_ms: how long it took.
        errors: the share that failed, from 0 to 1.
    """

    times: int = 0
    cost_usd: float | None = None
    latency_ms: float | None = None
    errors: float | None = None


_NOTHING = Figures()


@dataclass(frozen=True, slots=True)
class Box:
    """One thing.

    Attributes:
        id: what it is known by; no browser gets to know it.
        label: its name.
        kind: what it is, in a word.
        line: what stands below its name.
        category: what gives it its hue.
        x: its middle, in pixels.
        y: its middle, in pixels.
        depth: how far it stands from the beginning.
        parent: the box that it lies in.
        figures: what it took.
        words: what is said of it in other respects, such as its status.
        holds: what it stands for, if that is not itself.
    """

    id: str
    label: str
    kind: str
    line: str = ""
    category: str = ""
    x: float = 0.0
    y: float = 0.0
    depth: int = 0
    parent: str | None = None
    figures: Figures = _NOTHING
    words: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[str, ...] = ()

    @property
    def meant(self) -> tuple[str, ...]:
        """What one has chosen when one has chosen it."""
        return self.holds or (self.id,)


class Arrow(NamedTuple):
    """What leads from one box to another.

    Attributes:
        source: the box that it leaves.
        target: the box that it reaches.
        label: what it is called.
        branch: whether it is taken only sometimes.
    """

    source: str
    target: str
    label: str = ""
    branch: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture, before anything of it is drawn.

    Attributes:
        title: what it is a picture of, in words.
        boxes: the boxes; what lies in another one comes after it.
        arrows: the arrows.
        modes: by what it can be coloured; the first is how it opens.
        rows: gives the rows of what has been chosen, by id and in that order.
        edit: opens the editor of what is shown, where there is one.
        size: how large a box is, in pixels.
        note: what the figures are of.
        simulated: whether a stand-in answered, and not a language model.
    """

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    modes: tuple[str, ...]
    rows: Callable[[Sequence[str]], pl.DataFrame]
    edit: Callable[[], Any] | None = None  # whichever editor it is
    size: tuple[int, int] = (WIDTH, HEIGHT)
    note: str = ""
    simulated: bool = False

    @property
    def elements(self) -> int:
        """How many things are drawn."""
        return len(self.boxes) + len(self.arrows)

    def only(self, ids: Collection[str]) -> Scene:
        """Return the part that shows these boxes and no others."""
        kept = set(ids)
        boxes = tuple(
            replace(box, parent=box.parent if box.parent in kept else None)
            for box in self.boxes
            if box.id in kept
        )
        arrows = tuple(a for a in self.arrows if a.source in kept and a.target in kept)
        return replace(self, boxes=boxes, arrows=arrows)


def together(parts: Sequence[Figures]) -> Figures:
    """Return what several things took together; what is not known of one is not known of all.

    >>> together([Figures(1, 0.5, 10.0, 1.0), Figures(3, 0.25, 30.0, 0.0), Figures()])
    Figures(times=4, cost_usd=0.75, latency_ms=40.0, errors=0.25)
    """
    ran = [part for part in parts if part.times]
    costs = [part.cost_usd for part in ran]
    times = sum(part.times for part in ran)
    if not times:
        return Figures()
    return Figures(
        times,
        None if None in costs else sum(filter(None, costs)),
        sum(part.latency_ms or 0.0 for part in ran),
        sum((part.errors or 0.0) * part.times for part in ran) / times,
    )
