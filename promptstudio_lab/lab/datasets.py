"""A dataset in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.datasets import store
from promptstudio_lab.datasets.frames import rows_of
from promptstudio_lab.datasets.items import items
from promptstudio_lab.errors import DatasetError
from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.shown import MOST, card, facts, more, table
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.datasets.items import Items
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json


class Dataset:
    """Rows to run and compare flows on.

    Attributes:
        name: what it is called; empty for rows that are not kept.
        version: the dataset's version, 0 for rows that are not kept.
        items: the rows, each read as it is asked for.
        classification: how closely they are kept; `public` for rows that are not kept.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> lab.dataset("greetings", [{"id": "a", "text": "Hi"}])
    <Dataset 'greetings' version 1: 1 item>
    >>> lab.dataset("greetings").to_polars()["text"].to_list()
    ['Hi']
    """

    def __init__(
        self,
        items: Items,
        name: str = "",
        version: int = 0,
        id: str | None = None,  # noqa: A002 — the row's own id
        classification: str = "public",
    ) -> None:
        """Wrap rows; use `lab.dataset` to keep or get some."""
        self.items, self.name, self.version, self.id = items, name, version, id
        self.classification = classification
        self._environment: Environment | None = None

    @classmethod
    def of(cls, environment: Environment, data: Any) -> Dataset:  # a frame of either library  # noqa: ARG003 — one signature for all three
        """Return rows that are not kept."""
        return cls(items(rows_of(data)))

    @classmethod
    def at(cls, environment: Environment, name: str) -> Dataset:
        """Return the kept dataset of that name."""
        with environment.warehouse.reading(environment.actor) as session:
            row, items = store.load(session, environment.lab_id, name)
            found = cls(items, row.name, row.current_version, row.id, row.data_classification)
        found._environment = environment
        return found

    @classmethod
    def saved(
        cls, environment: Environment, name: str, data: Any, key: str | None
    ) -> Dataset:  # a frame of either library
        """Keep rows and return them."""
        wanted = items(rows_of(data), key)
        environment.warehouse.transact(
            environment.actor,
            lambda session: store.save(session, environment.lab_id, name, wanted),
        )
        return cls.at(environment, name)

    def classify(self, level: str) -> Dataset:
        """Say how closely the rows are kept; flows that run on them are held to it.

        Args:
            level: `public`, `internal`, `confidential` or `restricted`.

        Raises:
            DatasetError: if there is no such class, or the rows are not kept.
        """
        if self._environment is None:
            message = "these rows are not kept; keep them with lab.dataset(name, rows)"
            raise DatasetError(message)
        environment = self._environment
        environment.warehouse.transact(
            environment.actor,
            lambda session: store.classify(session, environment.lab_id, self.name, level),
        )
        self.classification = level
        return self

    def __repr__(self) -> str:
        """Name the dataset and count its rows."""
        name = f"{self.name!r} version {self.version}" if self.name else "not kept"
        return f"<Dataset {name}: {ITEMS.counted(len(self.items))}>"

    def _repr_html_(self) -> str:
        title = f"{self.name} · version {self.version}" if self.name else "rows that are not kept"
        columns = list(dict.fromkeys(name for item in self.items for name in item.values))
        rows = [
            [item.key, *(_told(item.values.get(name)) for name in columns)]
            for item in self.items[:MOST]
        ]
        below = more(len(self.items), ".to_polars()")
        kept = facts({"items": f"{len(self.items):,}", "kept as": self.classification})
        return card(title, kept, table(["key", *columns], rows), below)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.items)

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a frame."""
        import polars as pl

        return pl.DataFrame([item.values for item in self.items], infer_schema_length=None)

    def digest(self) -> str:
        """Return the content hash of the rows."""
        return store.digest(self.items)


def _told(value: Json) -> str:
    return value if isinstance(value, str) else "" if value is None else dumps(value)
