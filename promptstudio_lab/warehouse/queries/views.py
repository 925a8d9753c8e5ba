"""The analysts' views: what a row of each stands for, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.warehouse.schema.files import folder

if TYPE_CHECKING:
    from pathlib import Path

_GRAIN = "-- Grain: "


@dataclass(frozen=True, slots=True)
class View:
    """A view that the same text makes on both engines.

    Attributes:
        name: as SQL knows it, such as `v_trace`.
        grain: what one row stands for.
        columns: the meaning of each, in their order.
    """

    name: str
    grain: str
    columns: dict[str, str]


def views() -> list[View]:
    """Return every view, as its file in `sql/views` describes it.

    >>> next(view.grain for view in views() if view.name == "v_flow_execution")
    'one row a run of a flow.'
    """
    return sorted(map(_view, folder("sql/views").glob("*.sql")), key=lambda view: view.name)


def _view(file: Path) -> View:
    lines = file.read_text(encoding="utf-8").splitlines()
    told = [line for line in lines if line.startswith("-- ")]
    pairs = (line.removeprefix("-- ").partition(": ")[::2] for line in told[1:])
    return View(
        name=file.stem.split("_", 1)[1],
        grain=told[0].removeprefix(_GRAIN),
        columns=dict(pairs),
    )
