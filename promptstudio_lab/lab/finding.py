"""Finding things in a lab by what they say, what they are tagged with, and what they use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from promptstudio_lab.errors import NotFound, did_you_mean
from promptstudio_lab.nodes import kinds
from promptstudio_lab.shown import MOST, card, more, named_html, printable, table
from promptstudio_lab.warehouse.places.references import split_reference
from promptstudio_lab.warehouse.queries.catalogue import catalogue, stamp, uses, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.warehouse.queries.catalogue import Catalogue, Item, Use

_PLACES = ("library", "flow", "template")


class Hit(NamedTuple):
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
        version: a template's current version.
        words: everything that a search for words looks at, without case; empty if it was not read.
    """

    kind: str
    path: str
    name: str
    description: str | None
    category: str | None
    tags: tuple[str, ...]
    pinned: bool
    updated_at: datetime
    id: str
    order_key: str
    version: int
    words: str

    def _repr_html_(self) -> str:
        return named_html(self)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: `items` one a row, pinned first, and `facets` to narrow it down by."""

    hits: tuple[Hit, ...] = field(repr=False)
    index: _Index = field(repr=False)
    rows: tuple[int, ...] = field(repr=False)

    def __len__(self) -> int:
        """Return how many things were found."""
        return len(self.hits)

    @cached_property
    def items(self) -> pl.DataFrame:
        """Return what was found, one thing a row."""
        return self.index.frame[list(self.rows)]

    @cached_property
    def facets(self) -> dict[str, pl.DataFrame]:
        """Return how many of the things found have each kind, tag, category, model and template."""
        used = self.index.used.join(self.items.select("id"), on="id", how="semi")
        return {
            "kind": _counted(self.items["kind"]),
            "tag": _counted(self.items["tags"].explode()),
            "category": _counted(self.items["category"]),
            "model": _counted(used.select("id", "model").unique()["model"]),
            "template": _counted(used.select("id", "template").unique()["template"]),
        }

    def __repr__(self) -> str:
        """Say how many things of which kind were found, and name the first."""
        lines = [f"  {hit.kind:8} {printable(hit.path)}" for hit in self.hits[:MOST]]
        rest = len(self.hits) - MOST
        return "\n".join(
            [f"<Found {self._counts()}>", *lines, *([f"  … {rest:,} more"] * (rest > 0))]
        )

    def _counts(self) -> str:
        found = Counter(hit.kind for hit in self.hits)
        words = [f"{found[kind]:,} {_plural(kind, found[kind])}" for kind in _PLACES if found[kind]]
        return ", ".join(words) or "nothing"

    def _repr_html_(self) -> str:
        heads = ("kind", "path", "description", "category", "tags")
        below = more(len(self.hits), ".items")
        return card(self._counts(), table(heads, map(_row, self.hits[:MOST])), below)


class Using(NamedTuple):
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
    index = _index(environment, words=text is not None)
    wanted = None if text is None else text.casefold()
    place = kind if kind in {None, *_PLACES} else "flow"
    rows = [
        row
        for row, hit in enumerate(index.hits)
        if (place is None or hit.kind == place)
        and (tag is None or tag in hit.tags)
        and (category is None or hit.category == category)
        and (wanted is None or wanted in hit.words)
    ]
    if model is not None or template is not None or kind != place:
        node = kind if kind != place else None
        ids = [index.hits[row].id for row in rows]
        rows = [
            row
            for row, key in zip(rows, ids, strict=True)
            if _is_used(index.using.get(key, ()), model, template, node)
        ]
    return Found(tuple(index.hits[row] for row in rows), index, tuple(rows))


def libraries(environment: Environment) -> pl.DataFrame:
    """Return the lab's libraries, one a row, with how much they hold directly."""
    import polars as pl

    hits = _index(environment, words=False).hits
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


class _Index:
    """Everything of a lab that can be found, read again when something changed."""

    def __init__(self, environment: Environment, everything: Catalogue, *, words: bool) -> None:
        self.stamp, self.has_words = everything.stamp, words
        # Not the environment itself: it is what this is remembered by, and would never go.
        self._where = (environment.warehouse, environment.actor, environment.lab_id)
        self._default_model = environment.default_model
        self.hits = sorted(
            _hits(everything, words=words),
            key=lambda hit: (not hit.pinned, hit.order_key, hit.name.casefold(), hit.path),
        )

    @cached_property
    def using(self) -> Mapping[str, Sequence[Using]]:
        """Return what the nodes of each flow use; only who asks for it waits for it."""
        warehouse, actor, lab_id = self._where
        with warehouse.reading(actor) as session:
            nodes, labelled = uses(session, lab_id), versions(session, lab_id)
        return _using(nodes, labelled, self.hits, self._default_model)

    @cached_property
    def used(self) -> pl.DataFrame:
        """Return the same as a frame: a flow's id, a model and a template a row."""
        import polars as pl

        nodes = [(key, node) for key, found in self.using.items() for node in found]
        columns = {
            "id": [key for key, _ in nodes],
            "model": [node.model for _, node in nodes],
            "template": [node.template for _, node in nodes],
        }
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return everything as a frame, of which a search takes its rows."""
        import polars as pl

        hits = self.hits
        texts = ("kind", "path", "name", "description", "category", "id")
        columns: dict[str, pl.Series] = {
            name: pl.Series(name, [getattr(hit, name) for hit in hits], dtype=pl.String)
            for name in texts
        }
        # Split in bulk: a list of lists would be read one by one.
        tags = pl.Series("tags", ["\0".join(hit.tags) or None for hit in hits], dtype=pl.String)
        columns["tags"] = tags.str.split("\0").fill_null([])
        columns["pinned"] = pl.Series("pinned", [hit.pinned for hit in hits], dtype=pl.Boolean)
        moments = [hit.updated_at for hit in hits]
        columns["updated_at"] = pl.Series("updated_at", moments, dtype=pl.Datetime("us", "UTC"))
        order = ("kind", "path", "name", "description", "category", "tags", "pinned")
        return pl.DataFrame([columns[name] for name in (*order, "updated_at", "id")])


_indexes: WeakKeyDictionary[Environment, _Index] = WeakKeyDictionary()


def _index(environment: Environment, *, words: bool) -> _Index:
    with environment.warehouse.reading(environment.actor) as session:
        known = _indexes.get(environment)
        if (
            known is not None
            and (known.has_words or not words)
            and known.stamp == stamp(session, environment.lab_id)
        ):
            return known
        everything = catalogue(session, environment.lab_id, texts=words)
    _indexes[environment] = found = _Index(environment, everything, words=words)
    return found


def _hits(everything: Catalogue, *, words: bool) -> list[Hit]:
    """Return one hit a thing: the libraries of flows and of templates under a path are one."""
    paths = {
        table: _paths(everything.items[table]) for table in ("workflow_library", "prompt_library")
    }
    places: dict[str, list[Item]] = {}
    for kind, known in paths.items():
        for item in everything.items[kind]:
            places.setdefault(known[item.id], []).append(item)
    return [
        *(_hit("library", path, twins, everything, words=words) for path, twins in places.items()),
        *(
            _hit(kind, f"{known[item.around]}/{item.name}", [item], everything, words=words)
            for kind, table, known in (
                ("flow", "prompt_flow", paths["workflow_library"]),
                ("template", "prompt_template", paths["prompt_library"]),
            )
            for item in everything.items[table]
            if item.around in known
        ),
    ]


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


def _hit(kind: str, path: str, twins: Sequence[Item], everything: Catalogue, *, words: bool) -> Hit:
    one = twins[0]
    description = next((item.description for item in twins if item.description), None)
    parts = (path, description or "", one.content or "") if words else ()
    return Hit(
        kind,
        path,
        one.name,
        description,
        next((item.category for item in twins if item.category), None),
        tuple(sorted({tag for item in twins for tag in everything.tags.get(item.id, ())})),
        any(item.id in everything.pinned for item in twins),
        max(_moment(item.updated_at) for item in twins),
        one.id,
        next((item.order_key for item in twins if item.order_key), ""),
        one.version,
        "\0".join(parts).casefold(),
    )


def _is_used(
    nodes: Sequence[Using], model: str | None, template: str | None, kind: str | None
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


def _using(
    nodes: Iterable[Use],
    labelled: Mapping[tuple[str, str], int],
    hits: Iterable[Hit],
    default_model: str,
) -> dict[str, list[Using]]:
    """Return what each flow uses; a reference without a number is followed to one."""
    templates = {hit.path: hit for hit in hits if hit.kind == "template"}
    asking = {name for name, kind in kinds.items() if "model" in kind.schema["properties"]}
    found: dict[str, list[Using]] = {}
    for node in nodes:
        path, version = _followed(node, templates, labelled)
        model = node.model or (default_model if node.kind in asking else None)
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


def _counted(values: pl.Series) -> pl.DataFrame:
    counts = values.drop_nulls().rename("value").value_counts()
    return counts.cast({"count": int}).sort("count", "value", descending=[True, False])


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return "libraries" if kind == "library" else f"{kind}s"


def _row(hit: Hit) -> tuple[str, ...]:
    mark = "📌 " if hit.pinned else ""
    description, category = hit.description or "", hit.category or ""
    return hit.kind, mark + hit.path, description, category, ", ".join(hit.tags)
