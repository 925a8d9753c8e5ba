"""Two runs, or two batches: what flipped, where they first went apart, and how texts differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.frames import analyze_frame
from promptstudio_lab.experiments.wording import ITEMS, visible
from promptstudio_lab.lab.experimenting.own import success
from promptstudio_lab.lab.running.results import Run
from promptstudio_lab.shown import block, card, printable
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.queries.experiments.steps import given_by_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.queries.experiments.steps import Given

_NEEDED = ("item", "status", "score", "cost_usd", "latency_ms", "flow_execution_id")
BEFORE, AFTER = "before", "after"


class _Apart(NamedTuple):
    place: str
    node: str
    before: Given | None
    after: Given | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """What differs between two runs, or between the runs of two batches on the same items.

    Attributes:
        report: which is better and how surely, paired by item; None for two single runs.
        items: one row an item that both ran on: `before` and `after` (whether it succeeded, null
            where nobody judged), `flipped` (`better`, `worse` or null), and `node`, the first one
            that gave something else (null where all gave the same).
        only_before: items that only the first ran on.
        only_after: items that only the second ran on.
    """

    report: Any  # a Report, or None
    items: pl.DataFrame
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    _environment: Environment
    _apart: dict[str, _Apart]

    @property
    def flips(self) -> pl.DataFrame:
        """Return the items of which one of the two runs succeeded and the other did not."""
        return self.items.filter(self.items["flipped"].is_not_null())

    @property
    def nodes(self) -> pl.DataFrame:
        """Return how many items first went apart at each node, the most frequent first."""
        import polars as pl

        apart = self.items.filter(pl.col("node").is_not_null())
        counted = apart.group_by("node").agg(
            pl.len().alias("items"),
            (pl.col("flipped") == "better").sum().alias("better"),
            (pl.col("flipped") == "worse").sum().alias("worse"),
        )
        return counted.sort("items", "node", descending=[True, False])

    def diff(self, item: str | None = None) -> str:
        """Return how the two texts differ where an item first went apart; nothing if they do not.

        Args:
            item: the item's key; not needed for two single runs.

        Raises:
            AnalysisError: if both did not run on the item.
        """
        known = self.items["item"].to_list()
        key = str(known[0] if item is None and len(known) == 1 else item)
        if key not in known:
            message = f"both did not run on {key!r}.{did_you_mean(key, known)}"
            raise AnalysisError(message)
        apart = self._apart.get(key)
        if apart is None:
            return ""
        with self._environment.warehouse.reading(self._environment.actor) as session:
            one, other = (_given(session, given) for given in (apart.before, apart.after))
        names = f"{apart.place} {BEFORE}", f"{apart.place} {AFTER}"
        return "\n".join(unified_diff(one, other, names[0], names[1], lineterm=""))

    def __repr__(self) -> str:
        """Say what flipped and where, then the report."""
        told = [*self._told(), *(["", repr(self.report)] if self.report is not None else [])]
        return "\n".join(told)

    def _repr_html_(self) -> str:
        first, *rest = self._told()
        report = self.report._repr_html_() if self.report is not None else ""
        return card(first, block("\n".join(rest)) if rest else "") + report

    def _told(self) -> list[str]:
        import polars as pl

        better = self.items.filter(pl.col("flipped") == "better").height
        worse = self.items.filter(pl.col("flipped") == "worse").height
        lines = [f"{ITEMS.counted(self.items.height)}: {better} better, {worse} worse"]
        for name, alone in (("first", self.only_before), ("second", self.only_after)):
            if alone:
                lines.append(f"{ITEMS.counted(len(alone))} left out that only the {name} ran on")
        lines += [
            f"first apart at {visible(node)}: {ITEMS.counted(count)}"
            for node, count in self.nodes.select("node", "items").rows()
        ]
        if self.items.height == 1 and (text := self.diff()):
            lines.append(printable(text))
        return lines


def compare(
    environment: Environment,
    before: Any,  # a Run, a run's id, or a frame of results
    after: Any,  # the same
    metrics: Sequence[Metric] | None = None,
    method: str = "anytime",
) -> Comparison:
    """Return what differs between two runs or two batches; `lab.compare` says more."""
    sides = [_frame(environment, side) for side in (before, after)]
    joined = _joined(*sides)
    ids = [*joined["run"].to_list(), *joined["run_after"].to_list()]
    with environment.warehouse.reading(environment.actor) as session:
        given = given_by_nodes(session, ids)
    apart: dict[str, _Apart] = {}
    for item, one, other in joined.select("item", "run", "run_after").iter_rows():
        first = _first_apart(given.get(one, []), given.get(other, []))
        if first is not None:
            apart[item] = first
    keys = [set(side["item"].to_list()) for side in sides]
    single = isinstance(before, (Run, str))
    return Comparison(
        None if single else _report(sides, metrics, method),
        _items(joined, apart),
        tuple(sorted(keys[0] - keys[1])),
        tuple(sorted(keys[1] - keys[0])),
        environment,
        apart,
    )


def _frame(environment: Environment, side: Any) -> pl.DataFrame:  # as `compare` takes it
    import polars as pl

    if isinstance(side, (Run, str)):
        return _of_run(environment, side.id if isinstance(side, Run) else side)
    frame = side if isinstance(side, pl.DataFrame) else pl.from_pandas(side)
    for name in _NEEDED:
        if name not in frame.columns:
            message = (
                f"the results have no column {name!r}.{did_you_mean(name, frame.columns)}"
                " Hint: give what flow.batch or experiment.results returned"
            )
            raise AnalysisError(message)
    if frame["item"].is_duplicated().any():
        message = "an item stands there twice: choose one variant, as results.filter(variant='a')"
        raise AnalysisError(message)
    return frame.select(
        pl.col("item").cast(pl.String),
        success().alias("success"),
        pl.col("score").alias("quality"),
        *("cost_usd", "latency_ms"),
        pl.col("flow_execution_id").alias("run"),
    )


def _of_run(environment: Environment, run_id: str) -> pl.DataFrame:
    import polars as pl

    from promptstudio_lab.warehouse.frames.query import query

    found = query(
        environment.warehouse,
        environment.actor,
        "SELECT success FROM flow_execution WHERE id = :run_id "
        "AND organization_id = :organization_id",
        {"run_id": run_id},
    )
    if not found.height:
        message = f"there is no run {run_id}"
        raise AnalysisError(message)
    known: dict[str, list[Json]] = {
        "item": ["run"],
        "success": found["success"].to_list(),
        "run": [run_id],
    }
    return pl.DataFrame(known, schema_overrides={"success": pl.Boolean})


def _joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    joined = before.join(after, on="item", how="inner", suffix="_after", maintain_order="left")
    if not joined.height:
        message = "the two ran on no item in common, so there is nothing to compare item by item"
        raise AnalysisError(message)
    return joined


def _first_apart(before: Sequence[Given], after: Sequence[Given]) -> _Apart | None:
    """Return the first node, in the order of the first run, that gave something else."""
    there = {given.place: given for given in after}
    for given in before:
        other = there.get(given.place)
        if other is None or other[2:] != given[2:]:
            return _Apart(given.place, given.node, given, other)
    known = {given.place for given in before}
    new = next((given for given in after if given.place not in known), None)
    return None if new is None else _Apart(new.place, new.node, None, new)


def _items(joined: pl.DataFrame, apart: dict[str, _Apart]) -> pl.DataFrame:
    import polars as pl

    nodes = [apart[item].node if item in apart else None for item in joined["item"]]
    flipped = (
        pl.when(~pl.col("success") & pl.col("success_after"))
        .then(pl.lit("better"))
        .when(pl.col("success") & ~pl.col("success_after"))
        .then(pl.lit("worse"))
    )
    return joined.select(
        "item",
        pl.col("success").alias(BEFORE),
        pl.col("success_after").alias(AFTER),
        flipped.alias("flipped"),
        pl.Series("node", nodes, dtype=pl.String),
        "run",
        "run_after",
    )


def _report(
    sides: Sequence[pl.DataFrame], metrics: Sequence[Metric] | None, method: str
) -> Any:  # a Report
    import polars as pl

    named = zip((BEFORE, AFTER), sides, strict=True)
    whole = pl.concat([side.with_columns(pl.lit(name).alias("variant")) for name, side in named])
    # What nobody knows is no column: the price of a model, or a score that nobody gave.
    known = [name for name in whole.columns if whole[name].null_count() < whole.height]
    return analyze_frame(
        whole.select(known),
        unit="item",
        control=BEFORE,
        metrics=metrics,
        paired=True,
        method="fixed" if method == "fixed" else "anytime",
        name="comparison",
    )


def _given(session: Session, given: Given | None) -> list[str]:
    if given is None or given.payload_id is None:
        return ["(did not run)" if given is None else f"({given.status})"]
    return _text(payloads.get(session, given.payload_id))


def _text(value: Json) -> list[str]:
    """Return outputs as lines that people read: one text as it is, anything else as JSON."""
    if isinstance(value, dict) and set(value) == {"json", "text"}:
        value = value["json"]  # the text says the same
    if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), str):
        (value,) = value.values()
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return [visible(line) for line in text.split("\n")]
