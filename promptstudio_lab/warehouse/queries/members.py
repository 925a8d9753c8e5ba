"""The rows of a dataset, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import DatasetItem, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

_AT_ONCE = 1_000


def dataset_rows(session: Session, dataset_id: str) -> Iterator[tuple[str, str, str]]:
    """Give (id, key, canonical JSON) of each present row of a dataset, in order.

    Raises:
        NotFound: if the values of one are gone.
    """
    query = (
        select(DatasetItem.id, DatasetItem.item_key, DatasetItem.content_payload_id, Payload.body)
        .join(Payload, Payload.id == DatasetItem.content_payload_id, isouter=True)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.removed_in_version.is_(None))
        .order_by(DatasetItem.position)
        .execution_options(yield_per=_AT_ONCE)
    )
    for row in session.execute(query):
        if row.body is None:
            # It says why: erased, or archived with its month.
            payloads.get(session, row.content_payload_id)
        yield row.id, row.item_key, row.body
