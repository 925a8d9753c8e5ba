from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Organization, PromptLab
from promptstudio_lab.warehouse.organizations import _found, enter, open_lab
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import Place, finish, processes, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier

TOGETHER = 4


@pytest.fixture
def empty(warehouse_url: str) -> Iterator[Warehouse]:
    """Give an open warehouse in which nobody has worked."""
    warehouse = Warehouse(warehouse_url)
    yield warehouse
    warehouse.close()


def test_empty_warehouse_gets_an_organisation_and_a_lab(empty: Warehouse) -> None:
    first, again = enter(empty, name="a"), enter(empty, name="b")
    assert first.organization_id == again.organization_id
    assert (first.id, first.name, first.kind) == ("a", "a", "user")
    lab = open_lab(empty, first)
    assert (lab.name, lab.id) == ("default", open_lab(empty, again).id)
    with empty.reading(first) as session:
        (organization,) = session.scalars(select(Organization)).all()
        assert (organization.slug, len(bytes.fromhex(organization.payload_key))) == ("default", 32)


def test_organisation_may_be_named(empty: Warehouse) -> None:
    first = enter(empty, "acme")
    assert enter(empty, "acme").organization_id == first.organization_id
    assert enter(empty).organization_id == first.organization_id
    with pytest.raises(NotFound, match=r"no organisation 'acne'.*did you mean 'acme'"):
        enter(empty, "acne")


def test_choice_among_several_must_be_made(empty: Warehouse) -> None:
    enter(empty, "acme")
    other = _found(empty, "beta")
    with pytest.raises(NotFound, match=r"which one\?.*acme, beta"):
        enter(empty)
    assert enter(empty, "beta").organization_id == other


def test_organisations_have_keys_of_their_own(empty: Warehouse) -> None:
    for slug in ("acme", "beta"):
        _found(empty, slug)
    with empty.reading(enter(empty, "acme")) as session:
        keys = session.scalars(select(Organization.payload_key)).all()
    assert len(set(keys)) == 2


def open_together(url: str, gate: Barrier) -> None:
    warehouse = Warehouse(url)
    gate.wait()
    open_lab(warehouse, enter(warehouse))
    warehouse.close()


def test_processes_may_enter_an_empty_warehouse_at_once(
    empty: Warehouse, warehouse_url: str
) -> None:
    gate = processes.Barrier(TOGETHER)
    running = [start(open_together, warehouse_url, gate) for _ in range(TOGETHER)]
    assert finish(running) == [0] * TOGETHER
    with empty.reading(enter(empty)) as session:
        assert len(find(session, PromptLab)) == 1


def test_labs_are_found_by_name(place: Place) -> None:
    assert open_lab(place.warehouse, place.actor, "default").id == place.lab_id
    with pytest.raises(NotFound, match=r"no lab 'defualt'.*did you mean 'default'"):
        open_lab(place.warehouse, place.actor, "defualt")


def test_first_lab_may_be_named(empty: Warehouse) -> None:
    actor = enter(empty)
    lab = open_lab(empty, actor, "research")
    assert lab.name == "research"
    assert open_lab(empty, actor, "research").id == lab.id
