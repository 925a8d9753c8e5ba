"""Datasets in the warehouse: kept once, versioned by the interval in which a row belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.datasets.items import Items, TextRows, text_columns
from promptstudio_lab.errors import DatasetError, NotFound, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.settings import CLASSES
from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import Dataset, DatasetItem
from promptstudio_lab.warehouse.queries.members import dataset_rows
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from collections.abc import Collection

    from promptstudio_lab.datasets.items import Item
    from promptstudio_lab.warehouse.connect import Session


def save(session: Session, lab_id: str, name: str, wanted: Collection[Item]) -> Dataset:
    """Keep items under a name; rows that are there already are not written again.

    A row that changed or is gone ends with the old version; what is new begins with the next.
    """
    dataset = first(session, Dataset, prompt_lab_id=lab_id, name=name)
    if dataset is None:
        dataset = Dataset(id=new_id(), prompt_lab_id=lab_id, name=name, current_version=0)
        session.add(dataset)
        session.flush()
    ids = payloads.put(session, [item.values for item in wanted])
    now = {item.key: payload for item, payload in zip(wanted, ids, strict=True)}
    live = {row.item_key: row for row in _live(session, dataset.id)}
    for position, item in enumerate(wanted):
        if item.key in live:
            live[item.key].position = position
    if {key: row.content_payload_id for key, row in live.items()} == now:
        session.flush()
        return dataset
    dataset.current_version += 1
    for key, row in live.items():
        if now.get(key) != row.content_payload_id:
            row.removed_in_version = dataset.current_version
    session.add_all(
        DatasetItem(
            id=new_id(),
            dataset_id=dataset.id,
            item_key=item.key,
            position=position,
            content_payload_id=now[item.key],
            added_in_version=dataset.current_version,
        )
        for position, item in enumerate(wanted)
        if item.key not in live or live[item.key].content_payload_id != now[item.key]
    )
    session.flush()
    return dataset


def load(session: Session, lab_id: str, name: str) -> tuple[Dataset, Items]:
    """Return a dataset and its present rows, in order.

    Raises:
        NotFound: if there is no dataset of that name.
    """
    found = find(session, Dataset, prompt_lab_id=lab_id)
    dataset = next((row for row in found if row.name == name), None)
    if dataset is None:
        message = f"there is no dataset {name!r}.{did_you_mean(name, [row.name for row in found])}"
        raise NotFound(message)
    ids, keys, texts = text_columns(dataset_rows(session, dataset.id), 3)
    return dataset, Items(TextRows(texts), keys, ids)


def classify(session: Session, lab_id: str, name: str, level: str) -> None:
    """Say how closely a dataset is kept.

    Raises:
        DatasetError: if there is no such class.
        NotFound: if there is no dataset of that name.
    """
    if level not in CLASSES:
        hint = did_you_mean(level, CLASSES)
        message = f"{level!r} is no class of data.{hint} There are {', '.join(CLASSES)}."
        raise DatasetError(message)
    dataset = first(session, Dataset, prompt_lab_id=lab_id, name=name)
    if dataset is None:
        message = f"there is no dataset {name!r}"
        raise NotFound(message)
    dataset.data_classification = level
    session.flush()


def digest(wanted: Collection[Item]) -> str:
    """Return the content hash of items, for plans that pin what they ran on."""
    return content_hash([[item.key, item.values] for item in wanted])


def _live(session: Session, dataset_id: str) -> list[DatasetItem]:
    return find(
        session, DatasetItem, order=("position",), dataset_id=dataset_id, removed_in_version=None
    )
