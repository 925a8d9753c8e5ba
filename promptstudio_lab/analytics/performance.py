"""How a template version does alone and inside each flow: like beside like, never pooled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.source import played
from promptstudio_lab.errors import NotFound
from promptstudio_lab.experiments.wording import change, visible
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.multiplicity import adjust
from promptstudio_lab.stats.unpaired import arm_difference
from promptstudio_lab.values import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.analytics.source import Source
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

# What is compared, of each call; its unit; whether more is better.
_METRICS = (("succeeded", "share"), ("score", ""), ("latency_ms", "ms"), ("cost_usd", "usd"))
_LEAST = 2
_ALIKE = ("prompt_template_id", "template_version", "provider", "model")
_PLACE = ("root_flow_id", "root_flow_version", "node_id")
_SCHEMA: dict[str, Any] = {  # polars' own union of types
    "template": pl.String, "template_version": pl.Int64, "provider": pl.String,
    "model": pl.String, "flow": pl.String, "flow_version": pl.Int64, "node": pl.String,
    "metric": pl.String, "unit": pl.String, "alone": pl.Float64, "alone_n": pl.Int64,
    "inside": pl.Float64, "inside_n": pl.Int64, "difference": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "p_value": pl.Float64, "p_adjusted": pl.Float64, "note": pl.String,
    "prompt_template_id": pl.String, "flow_id": pl.String, "node_id": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Performance(Answer):
    """How template versions do alone and inside each flow.

    Attributes:
        frame: one row a template version, model, flow version, node and metric: the mean `alone`
            and `inside`, the `difference` with its interval, both p-values, how many runs each
            rests on, and a note where there is nothing to compare with.
    """


class _Arms(NamedTuple):
    alone: pl.DataFrame
    inside: pl.DataFrame


def performance(
    source: Source, template: str | None, *, alpha: float = 0.05, method: Method = "anytime"
) -> Performance:
    """Return how template versions do alone and inside each flow.

    Raises:
        NotFound: if no template of that name was ever called at that time.
    """
    facts = source.facts().filter(
        pl.col("prompt_execution_id").is_not_null() & pl.col("prompt_template_id").is_not_null()
    )
    names = source.names("prompt_template_id")
    ids = None if template is None else source.template_ids(template)
    if ids is not None and ids.is_empty():
        message = f"there is no template {template!r}"
        raise NotFound(message)
    kept, simulated, left = played(_chosen(facts, ids).collect())
    alone = _alone_flows(source, kept)
    rows = [row for pair in _pairs(kept, alone) for row in _compared(*pair, alpha, method)]
    frame = _named(source, _adjusted(rows), names)
    return Performance(
        frame=frame,
        sentence=_sentence(frame, simulated=simulated),
        sql=_sql(source, ids),
        reason=_reason(method, left),
        drawing=_drawing(frame),
        simulated=simulated,
    )


def _chosen(facts: pl.LazyFrame, ids: pl.Series | None) -> pl.LazyFrame:
    asked = facts.with_columns(
        succeeded=(pl.col("status") == "succeeded").cast(pl.Float64),
        cost_usd=pl.col("cost") / 1e9,
    )
    if ids is None:
        return asked
    return asked.filter(pl.col("prompt_template_id").is_in(ids.implode()))


def _alone_flows(source: Source, facts: pl.DataFrame) -> frozenset[tuple[str, int]]:
    """Return the flow versions in which one node asks a model, and nothing else does."""
    wanted = set(facts.select("root_flow_id", "root_flow_version").unique().rows())
    found = source.ask(
        "SELECT flow_id, version, document FROM prompt_flow_version "
        "WHERE organization_id = :organization_id"
    )
    return frozenset(
        (str(flow), int(version))
        for flow, version, document in found.rows()
        if (str(flow), int(version)) in wanted and _asks_once(document)
    )


def _asks_once(document: object) -> bool:
    nodes = loads(document)["nodes"] if isinstance(document, str) else {}
    asking = [node for node in nodes.values() if "prompt" in node.get("config", {})]
    return len(asking) == 1 and not any(node.get("kind") == "subflow" for node in nodes.values())


def _pairs(
    facts: pl.DataFrame, alone: frozenset[tuple[str, int]]
) -> Iterator[tuple[tuple[object, ...], _Arms]]:
    """Give each place in a flow with the runs of the same version and model alone."""
    for alike, rows in facts.group_by(_ALIKE, maintain_order=True):
        flags = [
            (flow, version) in alone
            for flow, version in rows.select("root_flow_id", "root_flow_version").iter_rows()
        ]
        by_itself = rows.filter(pl.Series(flags, dtype=pl.Boolean))
        inside = rows.filter(~pl.Series(flags, dtype=pl.Boolean))
        for place, there in inside.group_by(_PLACE, maintain_order=True):
            yield (*alike, *place), _Arms(by_itself, there)
        if inside.is_empty():
            yield (*alike, None, None, None), _Arms(by_itself, inside)


def _compared(
    key: tuple[object, ...], arms: _Arms, alpha: float, method: Method
) -> Iterator[dict[str, object]]:
    for metric, unit in _METRICS:
        alone, inside = (_arm(rows, metric) for rows in arms)
        if alone is None and inside is None:
            continue
        effect = (
            arm_difference(alone, inside, alpha=alpha, method=method) if alone and inside else None
        )
        yield {
            **dict(zip((*_ALIKE, *_PLACE), key, strict=True)),
            "metric": metric,
            "unit": unit,
            "alone": alone.mean if alone else None,
            "alone_n": alone.n if alone else 0,
            "inside": inside.mean if inside else None,
            "inside_n": inside.n if inside else 0,
            **_measured(effect),
            "note": _note(arms, alone, inside, effect),
        }  # fmt: skip


def _arm(rows: pl.DataFrame, metric: str) -> Arm | None:
    """Return the calls of a place, clustered by run: calls of one run resemble one another."""
    known = rows.filter(pl.col(metric).is_not_null())
    if known["flow_execution_id"].n_unique() < _LEAST:
        return None
    return Arm.of_clusters(known[metric].to_numpy(), known["flow_execution_id"].to_list())


def _measured(effect: Effect | None) -> dict[str, float | None]:
    if effect is None:
        return dict.fromkeys(("difference", "low", "high", "p_value"))
    found = {
        "difference": effect.estimate,
        "low": effect.low,
        "high": effect.high,
        "p_value": effect.p_value,
    }
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _note(arms: _Arms, alone: Arm | None, inside: Arm | None, effect: Effect | None) -> str:
    if inside is None:
        return "only ran alone" if arms.inside.is_empty() else "fewer than 2 runs with this measure"
    if alone is None:
        nothing = arms.alone.is_empty()
        return "never ran alone with this model" if nothing else "fewer than 2 runs alone"
    return effect.reason if effect else ""


def _adjusted(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Add the p-values as they are when all are looked at together, by Holm's steps."""
    known = [row["p_value"] for row in rows if row["p_value"] is not None]
    holm = iter(adjust([float(str(p)) for p in known], "holm").p_values)
    for row in rows:
        row["p_adjusted"] = None if row["p_value"] is None else next(holm)
    made = {"root_flow_id": "flow_id", "root_flow_version": "flow_version"}
    plain = [{made.get(name, name): value for name, value in row.items()} for row in rows]
    return pl.DataFrame(plain, schema=_SCHEMA)


def _named(source: Source, frame: pl.DataFrame, templates: pl.DataFrame) -> pl.DataFrame:
    named = frame.drop("template", "flow", "node")
    for names in (templates, source.names("flow_id"), source.names("node_id")):
        named = named.join(names, on=names.columns[0], how="left")
    order = ["template", "template_version", "provider", "model", "flow", "flow_version", "node"]
    return named.select(list(_SCHEMA)).sort(order, maintain_order=True)


def _sentence(frame: pl.DataFrame, *, simulated: bool) -> str:
    if frame.is_empty():
        return "No call was made."
    compared = frame.filter(pl.col("difference").is_not_null())
    sure = compared.filter((pl.col("low") > 0) | (pl.col("high") < 0))
    if compared.is_empty():
        said = "Nothing ran both alone and inside a flow with the same version and model"
    elif sure.is_empty():
        said = (
            f"Of {counted(compared.height, 'comparison')} of alone with inside a flow, none shows"
            " a difference that chance would not"
        )
    else:
        row = sure.sort("p_adjusted", maintain_order=True).row(0, named=True)
        said = (
            f"{visible(row['template'])}@{row['template_version']} on {row['model']} inside"
            f" {visible(row['flow'])}: {row['metric'].partition('_')[0]}"
            f" {change(row['difference'], row['unit'])} against alone;"
            f" {sure.height} of {counted(compared.height, 'comparison')} differ by more than chance"
        )
    return f"{said}{' (simulated)' if simulated else ''}."


def _reason(method: Method, left: int) -> str:
    matched = (
        "alone: a flow version with one node that asks a model; matched by template version,"
        " provider and model; runs are the units, their calls clustered (CR1)"
    )
    parts = [
        matched,
        "intervals may be looked at at any time" if method == "anytime" else "Welch's t, one look",
        "p_adjusted by Holm over all rows",
        f"{counted(left, 'simulated call')} left out" if left else "",
    ]
    return "; ".join(filter(None, parts))


def _drawing(frame: pl.DataFrame) -> Drawing | None:
    """Show the differences of the metric of which most is known."""
    for metric, unit in (_METRICS[1], _METRICS[2], _METRICS[0]):
        rows = frame.filter((pl.col("metric") == metric) & pl.col("difference").is_not_null())
        if not rows.is_empty():
            marks = [
                Mark(
                    f"{row['flow']} \u00b7 {row['template']}@{row['template_version']}"
                    f" \u00b7 {row['model']}",
                    row["difference"],
                    row["low"],
                    row["high"],
                    "differs" if row["low"] is not None and row["low"] * row["high"] > 0 else "",
                )
                for row in rows.iter_rows(named=True)
            ]
            title = f"{metric.partition('_')[0]} inside the flow, against alone"
            return Drawing("intervals", title, unit, tuple(marks))
    return None


def _sql(source: Source, templates: pl.Series | None) -> str:
    ids = ("prompt_execution_id", "node_execution_id", "flow_execution_id")
    wanted = "" if templates is None else ", ".join(f"'{key}'" for key in templates)
    only = f" AND prompt_template_id IN ({wanted})" if wanted else ""
    return (
        "SELECT template, template_version, provider, model, flow, flow_version, node_key,\n"
        "    count(*) AS calls, count(DISTINCT flow_execution_id) AS runs,\n"
        "    avg(CASE WHEN call_status = 'succeeded' THEN 1.0 ELSE 0.0 END) AS succeeded,\n"
        "    avg(latency_ms) AS latency_ms, avg(cost_usd) AS cost_usd\n"
        f"FROM v_trace\nWHERE {source.held(*ids)}{only}\n"
        "GROUP BY template, template_version, provider, model, flow, flow_version, node_key"
    )
