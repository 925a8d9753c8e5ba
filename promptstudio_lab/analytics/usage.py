"""Where templates are used, with what, by whom; which flows lag behind, and what nobody uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.values import loads

if TYPE_CHECKING:
    from promptstudio_lab.analytics.source import Source

_USES = """SELECT t.name AS template, u.template_version, t.current_version, f.name AS flow,
    n.node_key AS node, u.first_used_at, CAST(n.config AS TEXT) AS config,
    CASE WHEN u.removed_at IS NULL AND n.deleted_at IS NULL AND f.deleted_at IS NULL
        THEN 1 ELSE 0 END AS live,
    u.prompt_template_id, u.flow_id, u.node_id
FROM workflow_template_usage AS u
JOIN prompt_template AS t ON t.id = u.prompt_template_id
JOIN prompt_flow AS f ON f.id = u.flow_id
JOIN flow_node AS n ON n.id = u.node_id
WHERE u.organization_id = :organization_id"""
_VERSIONS = """SELECT t.name AS template, v.version AS template_version, t.current_version,
    v.change_note AS note, v.created_at, t.id AS prompt_template_id
FROM prompt_template_version AS v
JOIN prompt_template AS t ON t.id = v.prompt_template_id
WHERE v.organization_id = :organization_id AND t.deleted_at IS NULL"""
_TEXTS = (
    "template", "flow", "node", "note", "config", "prompt_template_id", "flow_id", "node_id",
)  # fmt: skip
_KEY = ["prompt_template_id", "template_version", "flow_id", "node_id"]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Usage(Answer):
    """Where templates are used.

    Attributes:
        frame: one row a node that uses, or once used, a template version: `behind` (how many
            versions), `now` (whether the node uses that version as the flow stands), `calls`,
            `runs`, `users` and `last_called_at` at that time, and `with`: the other templates of
            the flow.
        lagging: the rows of nodes that still use a version which is not the current one.
        unused: template versions that no node has used, one a row.
    """

    lagging: pl.DataFrame
    unused: pl.DataFrame


def usage(source: Source, template: str | None = None) -> Usage:
    """Return where templates are used, by whom, with what."""
    uses = source.named(_typed(source.ask(_USES)))
    versions = source.named(_typed(source.ask(_VERSIONS)))
    unused = versions.join(uses, on=_KEY[:2], how="anti").sort("template", "template_version")
    frame = _beside(_counted(source, uses))
    if template is not None:
        meant = pl.col("prompt_template_id").is_in(source.template_ids(template).implode())
        frame, unused = frame.filter(meant), unused.filter(meant)
    lagging = frame.filter((pl.col("behind") > 0) & pl.col("now"))
    return Usage(
        frame=frame,
        lagging=lagging,
        unused=unused,
        sentence=_sentence(frame, lagging, unused),
        sql=_USES,
        reason="uses are written down when a flow first runs with them; calls are those of the"
        " time asked for",
        drawing=_drawing(frame),
    )


def _typed(found: pl.DataFrame) -> pl.DataFrame:
    """Give rowless columns the types that rows would have given them."""
    moment = pl.Datetime("us", "UTC")
    types: dict[str, Any] = {  # polars' own union of types
        **dict.fromkeys(_TEXTS, pl.String),
        **dict.fromkeys(("template_version", "current_version", "live"), pl.Int64),
        **dict.fromkeys(("first_used_at", "created_at"), moment),
    }
    return found.cast({name: types[name] for name in found.columns})


def _counted(source: Source, uses: pl.DataFrame) -> pl.DataFrame:
    facts = source.facts().filter(pl.col("prompt_execution_id").is_not_null())
    called = (
        facts.group_by("prompt_template_id", "template_version", "node_id")
        .agg(
            calls=pl.len().cast(pl.Int64),
            runs=pl.col("flow_execution_id").n_unique().cast(pl.Int64),
            users=pl.col("user").unique().sort(),
            last_called_at=pl.col("created_at").max(),
        )
        .collect()
    )
    return uses.join(
        called, on=["prompt_template_id", "template_version", "node_id"], how="left"
    ).with_columns(
        pl.col("calls", "runs").fill_null(0), pl.col("users").fill_null(pl.lit([], pl.List(str)))
    )


def _beside(uses: pl.DataFrame) -> pl.DataFrame:
    """Add what stands beside each use, and how far it lags."""
    together = uses.group_by("flow_id").agg(pl.col("template").unique().sort().alias("all"))
    newest = pl.col("first_used_at").max().over("node_id", "prompt_template_id")
    # A node that names no number has the version that it used last.
    named = pl.col("config").map_elements(_version_named, pl.Int64)
    stands = pl.coalesce(named == pl.col("template_version"), pl.col("first_used_at") == newest)
    return (
        uses.join(together, on="flow_id", how="left")
        .with_columns(
            pl.col("all").list.set_difference(pl.concat_list("template")).list.sort().alias("with"),
            behind=pl.col("current_version") - pl.col("template_version"),
            now=stands & (pl.col("live") == 1),
        )
        .select(
            "template", "template_version", "current_version", "behind", "now", "flow", "node",
            "calls", "runs", "users", "with", "first_used_at", "last_called_at", *_KEY[:1],
            *_KEY[2:],
        )
        .sort("template", "template_version", "flow", "node")
    )  # fmt: skip


def _version_named(config: str) -> int | None:
    """Return the version that a node's config names by its number."""
    prompt = loads(config).get("prompt")
    reference = prompt.get("ref") if isinstance(prompt, dict) else None
    number = str(reference or "").rpartition("@")[2]
    return int(number) if number.isdecimal() else None


def _sentence(frame: pl.DataFrame, lagging: pl.DataFrame, unused: pl.DataFrame) -> str:
    flows = frame["flow_id"].n_unique()
    parts = [
        f"{counted(frame['prompt_template_id'].n_unique(), 'template')} in {counted(flows, 'flow')}"
        if flows
        else "No flow has used a template"
    ]
    if not lagging.is_empty():
        row = lagging.sort("behind", descending=True, maintain_order=True).row(0, named=True)
        parts.append(
            f"{counted(lagging['flow_id'].n_unique(), 'flow')} behind the current version, such as"
            f" {visible(row['flow'])} with {visible(row['template'])}@{row['template_version']}"
            f" (current: {row['current_version']})"
        )
    if not unused.is_empty():
        parts.append(f"{counted(unused.height, 'version')} never used")
    return f"{'; '.join(parts)}."


def _drawing(frame: pl.DataFrame) -> Drawing:
    marks = [
        Mark(
            f"{row['template']}@{row['template_version']} in {row['flow']}",
            float(row["calls"]),
            state="behind" if row["behind"] and row["now"] else "",
        )
        for row in frame.sort("calls", descending=True, maintain_order=True).iter_rows(named=True)
    ]
    return Drawing("bars", "calls", "", tuple(marks))
