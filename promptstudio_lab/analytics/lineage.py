"""What something came from and what came of it: template version to cost, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.faces.layers import Box, Layers
from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.money import NANO_PER_USD, format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from promptstudio_lab.analytics.source import Source

KINDS = ("template version", "usage", "flow version", "node", "execution", "call", "cost")
_SINGLE = 12  # so many calls are drawn one by one; more stand together
_CALLS: dict[str, Any] = {  # polars' own union of types
    "template": pl.String, "template_version": pl.Int64, "flow": pl.String,
    "flow_version": pl.Int64, "node": pl.String, "user": pl.String, "model": pl.String,
    "status": pl.String, "simulated": pl.Boolean, "cost_usd": pl.Float64, "latency_ms": pl.Float64,
    "created_at": pl.Datetime("us", "UTC"), "prompt_template_id": pl.String,
    "workflow_template_usage_id": pl.String, "flow_id": pl.String, "node_id": pl.String,
    "flow_execution_id": pl.String, "node_execution_id": pl.String,
    "prompt_execution_id": pl.String,
}  # fmt: skip
_USES = """SELECT t.name AS template, u.template_version, f.name AS flow, n.node_key AS node,
    u.prompt_template_id, u.id AS workflow_template_usage_id, u.flow_id, u.node_id
FROM workflow_template_usage AS u
JOIN prompt_template AS t ON t.id = u.prompt_template_id
JOIN prompt_flow AS f ON f.id = u.flow_id
JOIN flow_node AS n ON n.id = u.node_id
WHERE u.organization_id = :organization_id"""
_CHAIN = [
    "template", "template_version", "flow", "flow_version", "node", "prompt_template_id",
    "workflow_template_usage_id", "flow_id", "node_id",
]  # fmt: skip
_ENDS = ["prompt_template_id", "template_version", "node_id"]
# The chain of a run, and what of it has to be the same.
_RELATIONS = ("used as", "in", "runs", "executed as", "asked", "cost")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Lineage(Answer):
    """What something came from and what came of it.

    Attributes:
        frame: one row a chain of template version, flow version and node, with how many `runs` and
            `calls` there were, and what they cost; a use that was never run has none.
        calls: every call of these chains, one a row, with the ids of all it hangs together with.
        layers: the picture's boxes and arrows.
        show: makes the graph, where something is installed that can.
    """

    calls: pl.DataFrame
    layers: Layers
    show: Callable[[Lineage, str | None], Any] | None = None  # whichever widget it is

    @property
    def edges(self) -> pl.DataFrame:
        """Every step, one a row: from what, which relation, to what."""
        by_id = {box.id: box for box in self.layers.boxes}
        rows = [
            (by_id[one].kind, by_id[one].label, _RELATIONS[KINDS.index(by_id[one].kind)],
             by_id[other].kind, by_id[other].label)
            for one, other in self.layers.arrows
        ]  # fmt: skip
        names = ("source_kind", "source", "relation", "target_kind", "target")
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")

    def under(self, boxes: Sequence[str]) -> pl.DataFrame:
        """Return the calls that belong to any of some boxes, given by their ids."""
        wheres = [box.where for box in self.layers.boxes if box.id in set(boxes)]
        if not wheres:
            return self.calls.clear()
        return self.calls.filter(pl.any_horizontal([_holds(where) for where in wheres]))

    def graph(self, by: str | None = None) -> Any:  # whichever widget it is
        """Return the graph: a click chooses a box, `.selected` is the frame of its calls.

        Args:
            by: what colours the boxes, at first their `kind`: or `status`, `cost`, `latency` or
                `errors`. The graph's `.by` can be set later.

        Raises:
            PromptStudioError: with the line that installs it, if nothing can draw it.
        """
        if self.show is None:
            message = "nothing here can show 'lineage': pip install promptstudio-lab"
            raise PromptStudioError(message)
        return self.show(self, by)

    def _repr_html_(self) -> str:
        # The picture of this answer is its layers, not its bars.
        page = Answer._repr_html_(self)
        bars = self.drawing.svg if self.drawing else ""
        return page.replace(bars, self.layers.svg) if bars else page


def lineage(
    source: Source,
    where: Mapping[str, object],
    *,
    about: str,
    show: Callable[[Lineage, str | None], Any] | None = None,  # whichever widget it is
) -> Lineage:
    """Return what something came from and what came of it.

    Args:
        source: where to read.
        where: which chains: by column of `v_trace`, or `experiment_id`, the value that their calls
            have; of several columns whose value is the same id, any of them.
        about: what it is, in words.
        show: makes the graph.
    """
    sql = _sql(source, where)
    calls = source.named(_typed(source.ask(sql), list(_CALLS)))
    chains = _chains(calls, _unused(source, calls, where))
    layers = _layers(chains, calls, where)
    return Lineage(
        frame=chains,
        calls=calls,
        layers=layers,
        show=show,
        sentence=_sentence(chains, about),
        sql=sql,
        reason="one join in both directions: v_trace, a row a call; archived months are not in it",
        drawing=_drawing(chains),
        simulated=bool(calls.height) and bool(calls["simulated"].all()),
    )


def _sql(source: Source, where: Mapping[str, object]) -> str:
    ids = ("prompt_execution_id", "node_execution_id", "flow_execution_id")
    # Ids and whole numbers of our own, none of them anybody's text.
    parts = [_held(name, value) for name, value in where.items()]
    alike = len(set(where.values())) < len(where)
    condition = " OR ".join(parts) if alike else " AND ".join(parts)
    return (
        "SELECT template, template_version, flow, flow_version, node_key AS node,\n"
        "    requested_by AS user, model, call_status AS status, simulated, cost_usd, latency_ms,\n"
        "    created_at, prompt_template_id, workflow_template_usage_id, flow_id, node_id,\n"
        "    flow_execution_id, node_execution_id, prompt_execution_id\n"
        f"FROM v_trace\nWHERE {source.held(*ids)}\n    AND ({condition})\n"
        "ORDER BY prompt_execution_id"
    )


def _held(name: str, value: object) -> str:
    if name != "experiment_id":
        return f"{name} = {_literal(value)}"
    # A call does not say which experiment its run was of, but the run does.
    runs = f"SELECT id FROM flow_execution WHERE experiment_id = {_literal(value)}"  # noqa: S608 — our own id
    return f"flow_execution_id IN ({runs})"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _typed(found: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Return columns with their types, which no row may have told."""
    return found.select(pl.col(name).cast(_CALLS[name]) for name in columns)


def _unused(source: Source, calls: pl.DataFrame, where: Mapping[str, object]) -> pl.DataFrame:
    """Return the uses that belong here of which no call is known."""
    columns = [name for name in _CHAIN if name != "flow_version"]
    uses = source.named(_typed(source.ask(_USES), columns))
    asked = {name: value for name, value in where.items() if name in uses.columns}
    if not asked:
        return uses.clear()
    alike = len(set(where.values())) < len(where)
    conditions = [pl.col(name) == value for name, value in asked.items()]
    held = pl.any_horizontal(conditions) if alike else pl.all_horizontal(conditions)
    return uses.filter(held).join(calls, on=_ENDS, how="anti")


def _chains(calls: pl.DataFrame, unused: pl.DataFrame) -> pl.DataFrame:
    counted_ = calls.group_by(_CHAIN).agg(
        runs=pl.col("flow_execution_id").n_unique().cast(pl.Int64),
        calls=pl.len().cast(pl.Int64),
        priced_calls=pl.col("cost_usd").count().cast(pl.Int64),
        cost_usd=pl.when(pl.col("cost_usd").count() > 0).then(pl.col("cost_usd").sum()),
        last_called_at=pl.col("created_at").max(),
    )
    never = unused.with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in ("runs", "calls", "priced_calls")
    )
    whole = pl.concat([counted_, never], how="diagonal")
    shown = [name for name in _CHAIN if not name.endswith("_id")]
    ids = [name for name in _CHAIN if name.endswith("_id")]
    measures = ["runs", "calls", "priced_calls", "cost_usd", "last_called_at"]
    return whole.select(*shown, *measures, *ids).sort(shown, nulls_last=True)


def _layers(chains: pl.DataFrame, calls: pl.DataFrame, where: Mapping[str, object]) -> Layers:
    boxes: dict[str, Box] = {}
    arrows: dict[tuple[str, str], None] = {}
    paths = [*_paths(chains)] if calls.height > _SINGLE else [*_single(chains, calls)]
    for path in paths:
        for box in path:
            boxes.setdefault(box.id, box)
        arrows.update(
            dict.fromkeys(zip((b.id for b in path), (b.id for b in path[1:]), strict=False))
        )
    chosen = frozenset(box.id for box in boxes.values() if box.where and _about(box.where, where))
    return Layers(KINDS, tuple(boxes.values()), tuple(arrows), chosen)


def _about(mine: Mapping[str, object], asked: Mapping[str, object]) -> bool:
    """Tell whether a box is what was asked about, and nothing narrower."""
    if len(set(asked.values())) < len(asked):
        return len(mine) == 1 and set(mine.values()) <= set(asked.values())
    return dict(mine) == dict(asked)


def _paths(chains: pl.DataFrame) -> Iterator[list[Box]]:
    """Give each chain as boxes, its runs, calls and cost in one each."""
    for row in chains.iter_rows(named=True):
        path = _head(row)
        if row["calls"]:
            where = path[-1].where
            name = path[-1].id
            unknown = row["calls"] - row["priced_calls"]
            cost = format_usd(_nano(row["cost_usd"]))
            path += [
                Box(f"runs {name}", KINDS[4], counted(row["runs"], "run"), where),
                Box(f"calls {name}", KINDS[5], counted(row["calls"], "call"), where),
                Box(f"cost {name}", KINDS[6], f"{cost}{' or more' if unknown else ''}", where),
            ]
        yield path


def _single(chains: pl.DataFrame, calls: pl.DataFrame) -> Iterator[list[Box]]:
    """Give each call as boxes, and the uses of which there is no call."""
    for row in calls.iter_rows(named=True):
        run, call = row["flow_execution_id"], row["prompt_execution_id"]
        this = {"prompt_execution_id": call}
        yield [
            *_head(row),
            Box(f"run {run}", KINDS[4], f"run \u2026{run[-6:]}", {"flow_execution_id": run}),
            Box(f"call {call}", KINDS[5], f"{row['model']} \u2026{call[-6:]}", this),
            Box(f"cost {call}", KINDS[6], format_usd(_nano(row["cost_usd"])), this),
        ]
    for row in chains.filter(calls=0).iter_rows(named=True):
        yield _head(row)


def _head(row: Mapping[str, Any]) -> list[Box]:  # a row's columns have their own types
    template = {name: row[name] for name in ("prompt_template_id", "template_version")}
    usage = {"workflow_template_usage_id": row["workflow_template_usage_id"]}
    flow = {name: row[name] for name in ("flow_id", "flow_version")}
    node = {**template, **flow, "node_id": row["node_id"]}
    named = f"{row['template']}@{row['template_version']}"
    path = [
        Box(f"template {_key(template)}", KINDS[0], named, template),
        Box(f"usage {_key(usage)}", KINDS[1], f"{row['flow']} / {row['node']}", usage),
    ]
    if row["flow_version"] is None:
        return path
    return [
        *path,
        Box(f"flow {_key(flow)}", KINDS[2], f"{row['flow']} v{row['flow_version']}", flow),
        Box(f"node {_key(node)}", KINDS[3], str(row["node"]), node),
    ]


def _key(where: Mapping[str, object]) -> str:
    return "@".join(map(str, where.values()))


def _holds(where: Mapping[str, object]) -> pl.Expr:
    return pl.all_horizontal([pl.col(name) == value for name, value in where.items()])


def _nano(usd: float | None) -> float | None:
    return None if usd is None else usd * NANO_PER_USD


def _sentence(chains: pl.DataFrame, about: str) -> str:
    if chains.is_empty():
        return f"Nothing hangs together with {visible(about)}."
    calls, priced = int(chains["calls"].sum()), int(chains["priced_calls"].sum())
    templates = chains.select("prompt_template_id", "template_version").n_unique()
    cost = format_usd(_nano(float(chains["cost_usd"].sum()))) if priced else "an unknown amount"
    least = "at least " if priced < calls else ""
    spent = f"{counted(calls, 'call')} for {least}{cost}" if calls else "not one call yet"
    return (
        f"{visible(about)}: {counted(templates, 'template version')} in"
        f" {counted(chains['flow_id'].n_unique(), 'flow')}, {spent}."
    )


def _drawing(chains: pl.DataFrame) -> Drawing:
    marks = [
        Mark(f"{row['template']}@{row['template_version']} in {row['flow']}", row["cost_usd"])
        for row in chains.filter(pl.col("calls") > 0).iter_rows(named=True)
    ]
    return Drawing("bars", "known cost", "usd", tuple(marks))
