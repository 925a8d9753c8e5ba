from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import NotFound, OperationRefused, TemplateSyntaxError
from promptstudio_lab.ids import derived_id
from promptstudio_lab.templates import store
from promptstudio_lab.templates.store import TemplateVersion, parse_reference
from promptstudio_lab.warehouse.entities import (
    ChangeLog,
    PromptLibrary,
    PromptTemplate,
    PromptTemplateVersion,
)
from promptstudio_lab.warehouse.history.changelog import Stream
from promptstudio_lab.warehouse.history.undo import redo, undo
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import finish, make_flow, opened, start

if TYPE_CHECKING:
    from tests.warehouse.parts import Place

PATH = "support/classify"


def save(place: Place, text: str, path: str = PATH, note: str = "") -> TemplateVersion:
    done: TemplateVersion = place.do(lambda s: store.save(s, place.lab_id, path, text, note))
    return done


def load(place: Place, reference: str) -> TemplateVersion:
    found: TemplateVersion = place.see(lambda s: store.load(s, place.lab_id, reference))
    return found


def inline(place: Place, flow: str, key: str, text: str) -> TemplateVersion:
    done: TemplateVersion = place.do(
        lambda s: store.save_inline(s, flow, derived_id(flow, key), key, text)
    )
    return done


def history(place: Place, template_id: str) -> list[tuple[int, str]]:
    rows = place.see(lambda s: store.history(s, template_id))
    return [(row.version, row.content) for row in rows]


def test_versions_are_numbered_from_one(place: Place) -> None:
    saved = [save(place, text) for text in ("a {{ x }}", "b", "c")]
    assert [version.version for version in saved] == [1, 2, 3]
    assert len({version.template_id for version in saved}) == 1
    assert history(place, saved[0].template_id) == [(1, "a {{ x }}"), (2, "b"), (3, "c")]


def test_same_text_makes_no_version(place: Place) -> None:
    first = save(place, "a")
    assert save(place, "a", note="again") == first
    assert len(history(place, first.template_id)) == 1


def test_older_text_is_current_again(place: Place) -> None:
    saved = [save(place, text) for text in ("a", "b", "a")]
    assert [version.version for version in saved] == [1, 2, 1]
    assert load(place, PATH) == saved[0]
    assert save(place, "c").version == 3
    with pytest.raises(NotFound, match="has versions 1 to 3, not 4"):
        load(place, f"{PATH}@4")


def test_version_keeps_what_it_needs_and_why(place: Place) -> None:
    template = save(place, "{{ b }} {{ a.x }} {{ b }}", note="shorter").template_id
    query = {"prompt_template_id": template}
    (row,) = place.see(lambda s: find(s, PromptTemplateVersion, **query))
    assert (row.variables, row.change_note, row.created_by) == (["b", "a"], "shorter", "analyst")


def test_references_name_versions(place: Place) -> None:
    for text in ("a", "b"):
        save(place, text)
    assert load(place, PATH).text == "b"
    assert load(place, f"{PATH}@1").text == "a"
    newest = load(place, PATH)
    assert newest.reference == f"{PATH}@2"
    assert load(place, newest.reference) == newest


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a/b@3", ("a/b", 3)),
        ("a/b", ("a/b", None)),
        ("a/b@", ("a/b@", None)),
        ("a@b", ("a", "b")),
        ("a@b@12", ("a@b", 12)),
        ("a@-1", ("a@-1", None)),
        ("a@1.5", ("a@1.5", None)),
    ],
)
def test_reference_is_a_path_and_a_version(reference: str, parts: tuple[str, object]) -> None:
    assert parse_reference(reference) == parts


def test_unknown_version_tells_which_there_are(place: Place) -> None:
    for text in ("a", "b"):
        save(place, text)
    for version in (0, 3):
        with pytest.raises(NotFound, match=rf"'{PATH}' has versions 1 to 2, not {version}"):
            load(place, f"{PATH}@{version}")


@pytest.mark.parametrize("reference", ["support/clasify", "elsewhere/classify", "classify"])
def test_unknown_template_is_told(place: Place, reference: str) -> None:
    save(place, "a")
    with pytest.raises(NotFound, match=f"there is no template '{reference}'"):
        load(place, reference)


def test_path_that_reads_as_a_version_is_refused(place: Place) -> None:
    with pytest.raises(OperationRefused):
        save(place, "a", path="support/classify@2")


def test_text_that_is_no_template_leaves_nothing(place: Place) -> None:
    with pytest.raises(TemplateSyntaxError, match="line 2"):
        save(place, "a\n{{ b")
    for entity in (PromptTemplate, PromptLibrary, ChangeLog):
        with place.warehouse.reading(place.actor) as session:
            assert find(session, entity) == []


def test_templates_of_others_are_out_of_reach(place: Place) -> None:
    save(place, "mine")
    other = place.elsewhere()
    with pytest.raises(NotFound):
        load(other, PATH)
    save(other, "theirs")
    assert (load(place, PATH).text, load(other, PATH).text) == ("mine", "theirs")


def test_inline_prompt_is_versioned_by_content(place: Place) -> None:
    flow = make_flow(place)
    texts = ["a", "b", "a", "b", "c"]
    saved = [inline(place, flow, "classify", text) for text in texts]
    assert [version.version for version in saved] == [1, 2, 1, 2, 3]
    assert len({version.template_id for version in saved}) == 1
    assert saved[0].path == "classify"


def test_inline_prompts_are_apart(place: Place) -> None:
    flow, other = make_flow(place), make_flow(place, "other")
    keys = {
        inline(place, at, key, "same").template_id
        for at, key in ((flow, "a"), (flow, "b"), (other, "a"))
    }
    assert len(keys) == 3
    assert place.see(lambda s: store.listed(s, place.lab_id)) == []


def test_promotion_keeps_the_history(place: Place) -> None:
    flow = make_flow(place)
    for text in ("a", "b"):
        before = inline(place, flow, "classify", text)
    done = place.do(lambda s: store.promote(s, place.lab_id, flow, "classify", PATH))
    assert done == TemplateVersion(before.template_id, 2, "b", PATH)
    assert load(place, f"{PATH}@1").text == "a"
    assert history(place, before.template_id) == [(1, "a"), (2, "b")]
    assert save(place, "c").version == 3
    assert inline(place, flow, "classify", "d").template_id != before.template_id


def test_promotion_to_a_taken_path_is_refused(place: Place) -> None:
    flow = make_flow(place)
    save(place, "there")
    inline(place, flow, "classify", "a")
    with pytest.raises(OperationRefused, match=f"there is a template '{PATH}' already"):
        place.do(lambda s: store.promote(s, place.lab_id, flow, "classify", PATH))
    assert load(place, PATH).text == "there"


def test_promotion_needs_a_saved_prompt(place: Place) -> None:
    flow = make_flow(place)
    with pytest.raises(NotFound, match=r"'classify' has no inline prompt.*run the flow once"):
        place.do(lambda s: store.promote(s, place.lab_id, flow, "classify", PATH))


def test_templates_are_listed_by_path(place: Place) -> None:
    for path in ("b/y", "loose", "a/z/deep", "b/x"):
        save(place, "text", path=path)
    found = place.see(lambda s: store.listed(s, place.lab_id))
    assert [path for path, _ in found] == ["Drafts/loose", "a/z/deep", "b/x", "b/y"]
    assert {row.current_version for _, row in found} == {1}


def steps(place: Place, stream_id: str) -> list[str]:
    rows = place.see(lambda s: find(s, ChangeLog, order=("seq",), stream_id=stream_id))
    return [row.op_type for row in rows]


def test_the_current_version_is_in_the_log_and_comes_back_by_undo(place: Place) -> None:
    stream = Stream("lab", place.lab_id)
    saved = [save(place, text) for text in ("a", "b", "a", "a")]
    assert steps(place, place.lab_id) == [
        "create library",
        "create template",
        "save version",
        "save version",
        "save version",
    ]
    place.do(lambda s: undo(s, stream))
    assert load(place, PATH) == saved[1]
    place.do(lambda s: undo(s, stream))
    assert load(place, PATH) == saved[0]
    place.do(lambda s: redo(s, stream))
    assert load(place, PATH) == saved[1]
    assert history(place, saved[0].template_id) == [(1, "a"), (2, "b")], "versions never go"
    assert save(place, "c").version == 3


def test_an_inline_prompt_is_logged_with_its_flow(place: Place) -> None:
    flow = make_flow(place)
    for text in ("a", "b", "b"):
        inline(place, flow, "ask", text)
    assert steps(place, flow) == ["create template", "save version", "save version"]


def save_many(url: str, number: int, count: int) -> None:
    with opened(url) as place:
        for turn in range(count):
            save(place, f"text {number} {turn}")


def test_processes_that_save_at_once_number_their_versions_in_one_row(
    own_place: Place, warehouse_url: str
) -> None:
    first = save(own_place, "first")
    running = [start(save_many, warehouse_url, number, 15) for number in range(3)]
    assert finish(running) == [0, 0, 0]
    found = history(own_place, first.template_id)
    assert [number for number, _ in found] == list(range(1, 47))
    assert len({text for _, text in found}) == 46
