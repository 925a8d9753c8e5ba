from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.warehouse.entities import ChangeLog, PromptLibrary, WorkflowLibrary
from promptstudio_lab.warehouse.libraries import find_library, find_or_make, path_of, split
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from tests.warehouse.parts import Place

LibraryKind = type[Any]  # either kind of library: the functions take one or the other
KINDS = (PromptLibrary, WorkflowLibrary)


def make(place: Place, kind: LibraryKind, *parts: str) -> str:
    key: str = place.do(lambda session: find_or_make(session, kind, place.lab_id, parts).id)
    return key


@pytest.mark.parametrize(
    ("path", "parts", "name"),
    [
        ("triage", ("Drafts",), "triage"),
        ("support/triage", ("support",), "triage"),
        ("a/b/c/d", ("a", "b", "c"), "d"),
        (" a / b c ", ("a",), "b c"),
    ],
)
def test_path_is_libraries_and_a_name(path: str, parts: tuple[str, ...], name: str) -> None:
    assert split(path) == (parts, name)


@pytest.mark.parametrize("path", ["", " ", "/a", "a/", "a//b", "a/ /b"])
def test_empty_part_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(OperationRefused, match="is not a path such as 'support/triage'"):
        split(path)


@pytest.mark.parametrize("kind", KINDS)
def test_libraries_are_made_once(place: Place, kind: LibraryKind) -> None:
    inner = make(place, kind, "support", "answers")
    assert make(place, kind, "support", "answers") == inner
    outer = make(place, kind, "support")
    assert place.see(lambda session: path_of(session, kind, inner)) == "support/answers"
    assert place.see(lambda session: path_of(session, kind, outer)) == "support"
    assert place.see(lambda session: path_of(session, kind, None)) == ""
    rows = place.see(lambda session: find(session, kind))
    assert [(row.name, row.parent_id) for row in rows] == [("support", None), ("answers", outer)]


def test_same_name_may_stand_in_two_places(place: Place) -> None:
    keys = {
        make(place, PromptLibrary, "a"),
        make(place, PromptLibrary, "b", "a"),
        make(place, PromptLibrary, "a", "a"),
        make(place, WorkflowLibrary, "a"),
    }
    assert len(keys) == 4


def test_missing_library_is_none(place: Place) -> None:
    make(place, PromptLibrary, "a")
    for parts in (["b"], ["a", "b"], ["b", "a"]):
        with place.warehouse.reading(place.actor) as session:
            assert find_library(session, PromptLibrary, place.lab_id, parts) is None


def test_making_a_library_is_written_in_the_labs_log(place: Place) -> None:
    make(place, PromptLibrary, "a", "b")
    rows = place.see(lambda session: find(session, ChangeLog, order=("seq",)))
    assert [(row.seq, row.stream_type, row.op_type) for row in rows] == [
        (1, "lab", "create library"),
        (2, "lab", "create library"),
    ]


def test_library_made_by_several_at_once_is_one(place: Place) -> None:
    gate = Barrier(4)

    def work(_: int) -> str:
        gate.wait()
        return make(place, WorkflowLibrary, "a", "b")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(work, range(4)))) == 1
