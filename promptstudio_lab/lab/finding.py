"""Finding things in a lab by what they say, what they are tagged with, and what they use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import NotFound, did_you_mean
from promptstudio_lab.lab.runs import printable
from promptstudio_lab.nodes import kinds
from promptstudio_lab.warehouse.places.references import split_reference
from promptstudio_lab.warehouse.queries.catalogue import catalogue, uses, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.warehouse.queries.catalogue import Catalogue, Item, Use

_PLACES = ("library", "flow", "template")
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found.

    Attributes:
        kind: `library`, `flow` or `template`.
        path: where it is.
        name: what it is called.
        description: what it is for, or None.
        category: its category, or None.
        tags: its tags.
        pinned: whether it is kept on top for whoever looks.
        updated_at: when it was changed last.
        id: what tells it from others; of a library, that of its flows' if it has one.
        order_key: its place among its siblings.
        text: a template's current text, where the search looked at texts.
        version: a template's current version.
    """

    kind: str
    path: str
    name: str
    description: str | None
    category: str | None
    tags: tuple[str, ...]
    pinned: bool
    updated_at: Any  # text on SQLite, a moment on PostgreSQL
    id: str
    order_key: str
    text: str | None = None
    version: int = 0


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: `items` one a row, pinned first, and `facets` to narrow it down by."""

    hits: tuple[Hit, ...] = field(repr=False)
    uses_of: Callable[[], Mapping[str, list[Using]]] = field(repr=False)

    def __len__(self) -> int:
        """Return how many things were found."""
        return len(self.hits)

    @cached_property
    def items(self) -> pl.DataFrame:
        """Return what was found, one thing a row."""
        import polars as pl

        hits = self.hits
        columns: dict[str, tuple[list[Any], Any]] = {  # polars' own union of types
            "kind": ([hit.kind for hit in hits], pl.String),
            "path": ([hit.path for hit in hits], pl.String),
            "name": ([hit.name for hit in hits], pl.String),
            "description": ([hit.description for hit in hits], pl.String),
            "category": ([hit.category for hit in hits], pl.String),
            "tags": ([list(hit.tags) for hit in hits], pl.List(pl.String)),
            "pinned": ([hit.pinned for hit in hits], pl.Boolean),
            "updated_at": ([_moment(hit.updated_at) for hit in hits], pl.Datetime("us", "UTC")),
            "id": ([hit.id for hit in hits], pl.String),
        }
        return pl.DataFrame(
            [pl.Series(name, values, dtype=kind) for name, (values, kind) in columns.items()]
        )

    @cached_property
    def facets(self) -> dict[str, pl.DataFrame]:
        """Return how many of the things found have each kind, tag, category, model and template."""
        using = self.uses_of()
        flows = [using.get(hit.id, []) for hit in self.hits if hit.kind == "flow"]
        return {
            "kind": _counted(hit.kind for hit in self.hits),
            "tag": _counted(tag for hit in self.hits for tag in hit.tags),
            "category": _counted(hit.category for hit in self.hits if hit.category),
            "model": _counted(m for nodes in flows for m in {n.model for n in nodes if n.model}),
            "template": _counted(
                t for nodes in flows for t in {n.template for n in nodes if n.template}
            ),
        }

    def __repr__(self) -> str:
        """Say how many things of which kind were found, and name the first."""
        lines = [f"  {hit.kind:8} {printable(hit.path)}" for hit in self.hits[:_SHOWN]]
        rest = len(self.hits) - _SHOWN
        return "\n".join(
            [f"<Found {self._counts()}>", *lines, *([f"  … {rest:,} more"] * (rest > 0))]
        )

    def _counts(self) -> str:
        found = Counter(hit.kind for hit in self.hits)
        words = [f"{found[kind]:,} {_plural(kind, found[kind])}" for kind in _PLACES if found[kind]]
        return ", ".join(words) or "nothing"

    def _repr_html_(self) -> str:
        rows = "".join(map(_row, self.hits[:_SHOWN]))
        rest = len(self.hits) - _SHOWN
        more = f"<p>… {rest:,} more</p>" if rest > 0 else ""
        return (
            f'<div class="{_CLASSES}"><style>{_STYLE}</style><p><b>{self._counts()}</b></p>'
            "<table><thead><tr><th>kind</th><th>path</th><th>description</th><th>category</th>"
            f"<th>tags</th></tr></thead><tbody>{rows}</tbody></table>{more}</div>"
        )


@dataclass(frozen=True, slots=True)
class Using:
    """What a node uses: its kind, its model, and a template by path and version."""

    kind: str
    model: str | None
    template: str | None
    version: int | None


def find(  # noqa: PLR0913 — what one can ask for
    environment: Environment,
    *,
    text: str | None = None,
    tag: str | None = None,
    category: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    template: str | None = None,
) -> Found:
    """Return what fits everything that is asked for; `Lab.find` says what each means."""
    allowed = {*_PLACES, *kinds}
    if kind is not None and kind not in allowed:
        message = f"there is no kind {kind!r}.{did_you_mean(kind, allowed)}"
        raise NotFound(message)
    with environment.warehouse.reading(environment.actor) as session:
        everything = catalogue(session, environment.lab_id, texts=text is not None)
    hits = _hits(everything)
    memory: list[Mapping[str, list[Using]]] = []

    def using() -> Mapping[str, list[Using]]:
        if not memory:
            memory.append(_using(environment, everything))
        return memory[0]

    hits = [hit for hit in hits if _fits(hit, text, tag, category, kind)]
    if model is not None or template is not None or kind not in {None, *_PLACES}:
        node = None if kind in _PLACES else kind
        hits = [hit for hit in hits if _is_used(using().get(hit.id, ()), model, template, node)]
    hits.sort(key=lambda hit: (not hit.pinned, hit.order_key, hit.name.casefold(), hit.path))
    return Found(tuple(hits), using)


def libraries(environment: Environment) -> pl.DataFrame:
    """Return the lab's libraries, one a row, with how much they hold directly."""
    import polars as pl

    with environment.warehouse.reading(environment.actor) as session:
        everything = catalogue(session, environment.lab_id, texts=False)
    hits = _hits(everything)
    held = Counter((hit.kind, hit.path.rpartition("/")[0]) for hit in hits)
    rows = [
        (
            hit.path,
            held["flow", hit.path],
            held["template", hit.path],
            hit.description,
            hit.category,
            list(hit.tags),
            hit.pinned,
        )
        for hit in sorted(hits, key=lambda hit: hit.path)
        if hit.kind == "library"
    ]
    schema: dict[str, Any] = {  # polars' own union of types
        "library": pl.String,
        "flows": pl.Int64,
        "templates": pl.Int64,
        "description": pl.String,
        "category": pl.String,
        "tags": pl.List(pl.String),
        "pinned": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _hits(everything: Catalogue) -> list[Hit]:
    """Return one hit a thing: the libraries of flows and of templates under a path are one."""
    paths = {
        table: _paths(everything.items[table]) for table in ("workflow_library", "prompt_library")
    }
    found: dict[str, Hit] = {}
    for table, known in paths.items():
        for item in everything.items[table]:
            path = known[item.id]
            hit = _hit("library", path, item, everything)
            found[path] = _merged(found[path], hit) if path in found else hit
    return [
        *found.values(),
        *_inside("flow", everything, "prompt_flow", paths["workflow_library"]),
        *_inside("template", everything, "prompt_template", paths["prompt_library"]),
    ]


def _inside(
    kind: str, everything: Catalogue, table: str, paths: Mapping[str, str]
) -> Iterable[Hit]:
    for item in everything.items[table]:
        library = paths.get(item.around or "")
        if library is not None:
            yield _hit(kind, f"{library}/{item.name}", item, everything)


def _paths(items: Iterable[Item]) -> dict[str, str]:
    by_id = {item.id: item for item in items}
    found: dict[str, str] = {}

    def path(item: Item) -> str:
        if item.id not in found:
            above = by_id.get(item.around or "")
            found[item.id] = f"{path(above)}/{item.name}" if above else item.name
        return found[item.id]

    for item in by_id.values():
        path(item)
    return found


def _hit(kind: str, path: str, item: Item, everything: Catalogue) -> Hit:
    tags = everything.tags.get(item.id)
    return Hit(
        kind,
        path,
        item.name,
        item.description,
        item.category,
        tuple(sorted(tags)) if tags else (),
        item.id in everything.pinned,
        item.updated_at,
        item.id,
        item.order_key,
        item.content,
        item.version,
    )


def _merged(one: Hit, other: Hit) -> Hit:
    return Hit(
        one.kind,
        one.path,
        one.name,
        one.description or other.description,
        one.category or other.category,
        tuple(sorted({*one.tags, *other.tags})),
        one.pinned or other.pinned,
        max(one.updated_at, other.updated_at),
        one.id,
        one.order_key or other.order_key,
    )


def _fits(
    hit: Hit, text: str | None, tag: str | None, category: str | None, kind: str | None
) -> bool:
    if kind is not None and hit.kind != (kind if kind in _PLACES else "flow"):
        return False
    if tag is not None and tag not in hit.tags:
        return False
    if category is not None and hit.category != category:
        return False
    if text is None:
        return True
    wanted = text.casefold()
    return any(wanted in part.casefold() for part in (hit.path, hit.description, hit.text) if part)


def _is_used(
    nodes: Collection[Using], model: str | None, template: str | None, kind: str | None
) -> bool:
    path, at = split_reference(template) if template is not None else (None, None)
    return (
        (model is None or any(node.model == model for node in nodes))
        and (kind is None or any(node.kind == kind for node in nodes))
        and (
            path is None
            or any(node.template == path and at in {None, str(node.version)} for node in nodes)
        )
    )


def _using(environment: Environment, everything: Catalogue) -> dict[str, list[Using]]:
    """Return what the nodes of each flow use; a reference without a number is followed to one."""
    with environment.warehouse.reading(environment.actor) as session:
        nodes = uses(session, environment.lab_id)
        labelled = versions(session, environment.lab_id)
    templates = {
        hit.path: hit
        for hit in _inside(
            "template",
            everything,
            "prompt_template",
            _paths(everything.items["prompt_library"]),
        )
    }
    asking = {name for name, kind in kinds.items() if "model" in kind.schema["properties"]}
    found: dict[str, list[Using]] = {}
    for node in nodes:
        path, version = _followed(node, templates, labelled)
        model = node.model or (environment.default_model if node.kind in asking else None)
        found.setdefault(node.flow_id, []).append(Using(node.kind, model, path, version))
    return found


def _followed(
    node: Use, templates: Mapping[str, Hit], labelled: Mapping[tuple[str, str], int]
) -> tuple[str | None, int | None]:
    if node.reference is None:
        return None, None
    path, at = split_reference(node.reference)
    known = templates.get(path)
    if at is not None and at.isdecimal():
        return path, int(at)
    if known is None:
        return path, None
    return path, known.version if at is None else labelled.get((known.id, at))


def _counted(values: Iterable[str | None]) -> pl.DataFrame:
    import polars as pl

    counts = Counter(value for value in values if value is not None)
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return pl.DataFrame(rows, schema={"value": pl.String, "count": pl.Int64}, orient="row")


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return "libraries" if kind == "library" else f"{kind}s"


def _row(hit: Hit) -> str:
    mark = "📌 " if hit.pinned else ""
    cells = [
        hit.kind,
        mark + hit.path,
        hit.description or "",
        hit.category or "",
        ", ".join(hit.tags),
    ]
    return "<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in cells) + "</tr>"


# Prices between dollar signs are not formulas, whatever JupyterLab's typesetter thinks.
_CLASSES = "psl-found tex2jax_ignore mathjax_ignore"
_STYLE = """
.psl-found{font-size:13px;color:var(--jp-ui-font-color1,#212121)}
.psl-found table{font-size:11px;border-collapse:collapse}
.psl-found th,.psl-found td{padding:2px 16px 2px 0;text-align:left;border:0;white-space:pre-wrap}
"""
