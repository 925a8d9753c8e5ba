"""A warehouse that cannot be written for a while holds a batch up, and loses nothing of it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from promptstudio_lab.engine import recorder
from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from tests.lab.parts import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow

ITEMS = 150
ROOM, PLENTY = 12, 1_000_000


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with opened(f"sqlite:///{tmp_path / 'warehouse.db'}") as found:
        yield found


def asking(lab: Lab) -> Flow:
    flow = lab.flow("support/full")
    ticket = flow.input("ticket", "text")
    flow.output(answer=flow.llm("ask", prompt="Answer {{ ticket }}", ticket=ticket))
    flow.run(ticket="first")
    return flow


@contextmanager
def full_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Leave room for a few pages; give what is set when a write has found none."""
    engine, found_none, append = lab.warehouse.engine, threading.Event(), lab.warehouse.append
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    most = [pages + ROOM]

    def limit(raw: object, *_: object) -> None:
        raw.execute(f"PRAGMA max_page_count={most[0]}")  # type: ignore[attr-defined]  # a connection of sqlite3

    def watched(actor: Any, work: Any) -> None:  # as the warehouse's own
        try:
            append(actor, work)
        except WarehouseUnavailable:
            found_none.set()
            raise

    event.listen(engine, "checkout", limit)
    monkeypatch.setattr(lab.warehouse, "append", watched)
    yield found_none
    most[0] = PLENTY


def test_batch_goes_on_when_there_is_room_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = asking(lab)
    with full_disk(lab, monkeypatch) as full:
        done: list[object] = []
        inputs = [{"ticket": str(number)} for number in range(ITEMS)]
        batch = threading.Thread(target=lambda: done.append(flow.batch(inputs)))
        batch.start()
        assert full.wait(30)
        assert not done
    batch.join(60)
    assert done
    assert lab.runs(1_000)["status"].to_list() == ["succeeded"] * (ITEMS + 1)
    assert lab.sql("SELECT count(*) AS n FROM prompt_execution")["n"].item() == ITEMS + 1


def test_disk_that_stays_full_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_PAUSE_S", 0.5)
    flow = asking(lab)
    inputs = [{"ticket": str(number)} for number in range(ITEMS)]
    with (
        full_disk(lab, monkeypatch),
        pytest.raises(WarehouseError, match=r"no room to write .*MiB free"),
    ):
        flow.batch(inputs)
    assert len(lab.runs(1_000)) < ITEMS
    assert flow.run(ticket="after").status == "succeeded"
