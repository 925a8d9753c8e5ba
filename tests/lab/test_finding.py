from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from promptstudio_lab.errors import NotFound
from tests.lab.parts import as_somebody, classifying, settled_lab

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

COLUMNS = ["kind", "path", "name", "description", "category", "tags", "pinned", "updated_at", "id"]


@pytest.fixture
def lab(room: Lab) -> Lab:
    room.template("support/label", "Welche Straße? {{ ticket }}")
    room.template("support/label", "Which STREET? {{ ticket }}").label("production", version=1)
    room.template("other/polite", "Please: {{ ticket }}").tag("tone").categorise("Style")
    classifying(room, "support/label@1", "support/first", model="simulated:large").head()
    classifying(room, "support/label@production", "support/second").head()
    classifying(room, "support/label", "support/third").head()
    room.flow("support/third").tag("nlp", "tone").categorise("Sorting").describe("Größe zählt")
    return room


def paths(lab: Lab, **asked: str) -> list[str]:
    return sorted(lab.find(**asked).items["path"])


def test_everything_is_found_without_a_question(lab: Lab) -> None:
    found = lab.find()
    assert found.items.columns == COLUMNS
    assert found.items.schema["updated_at"] == pl.Datetime("us", "UTC")
    assert (len(found), found.items["id"].n_unique()) == (7, 7)
    assert paths(lab, kind="library") == ["other", "support"]


def test_text_is_found_in_paths_descriptions_and_current_texts(lab: Lab) -> None:
    assert paths(lab, text="which street") == ["support/label"]
    assert paths(lab, text="STRASSE") == []
    assert paths(lab, text="GRÖSSE") == ["support/third"]
    assert paths(lab, text="OTHER/p") == ["other/polite"]
    lab.template("support/label", "Welche Straße? {{ ticket }}")
    assert paths(lab, text="STRASSE") == ["support/label"]


def test_tags_categories_and_kinds_narrow_down(lab: Lab) -> None:
    assert paths(lab, tag="tone") == ["other/polite", "support/third"]
    assert paths(lab, tag="tone", kind="flow") == ["support/third"]
    assert paths(lab, category="Style") == ["other/polite"]
    assert paths(lab, tag="tone", category="Sorting", text="third") == ["support/third"]
    assert paths(lab, tag="ton") == []


def test_flows_are_found_by_what_their_nodes_are_and_ask(lab: Lab) -> None:
    lab.flow("support/empty")
    everything = ["support/first", "support/second", "support/third"]
    assert paths(lab, kind="llm") == everything
    assert paths(lab, kind="merge") == []
    assert paths(lab, model="simulated:large") == ["support/first"]
    assert paths(lab, model=lab.environment.default_model) == everything[1:]
    with pytest.raises(NotFound, match="Hint: did you mean 'flow'"):
        lab.find(kind="flows")


def test_flows_are_found_by_the_template_that_they_use(lab: Lab) -> None:
    everything = ["support/first", "support/second", "support/third"]
    assert paths(lab, template="support/label") == everything
    assert paths(lab, template="support/label@1") == everything[:2]
    assert paths(lab, template="support/label@2") == everything[2:]
    assert paths(lab, template="other/polite") == []
    lab.template("support/label").label("production", version=2)
    assert paths(lab, template="support/label@2") == everything[1:]


def test_facets_count_what_was_found(lab: Lab) -> None:
    facets = lab.find().facets
    assert facets["kind"].rows() == [("flow", 3), ("library", 2), ("template", 2)]
    assert facets["tag"].rows() == [("tone", 2), ("nlp", 1)]
    assert facets["category"].rows() == [("Sorting", 1), ("Style", 1)]
    default = lab.environment.default_model
    assert facets["model"].rows() == [(default, 2), ("simulated:large", 1)]
    assert facets["template"].rows() == [("support/label", 3)]
    narrow = lab.find(model="simulated:large").facets
    assert narrow["template"].rows() == [("support/label", 1)]
    assert narrow["tag"].schema == {"value": pl.String, "count": pl.Int64}


def test_what_others_change_is_found_at_once(lab: Lab) -> None:
    ada = as_somebody(lab, "ada")
    assert paths(lab, text="fresh") == []
    ada.template("support/a", "Fresh {{ ticket }}")
    assert paths(lab, text="fresh") == ["support/a"]
    ada.template("support/a", "Stale {{ ticket }}")
    assert paths(lab, text="fresh") == []
    ada.template("support/a", "Fresh {{ ticket }}")
    assert paths(lab, text="fresh") == ["support/a"]
    classifying(ada, "support/a", "support/fresher").head()
    assert paths(lab, template="support/a") == ["support/fresher"]
    node = ada.flow("support/fresher").graph_now.by_key["classify"]
    config = {**node.config, "model": "simulated:large"}
    ada.flow("support/fresher").apply({"type": "configure", "node": node.id, "config": config})
    assert paths(lab, model="simulated:large") == ["support/first", "support/fresher"]
    ada.undo()
    ada.flow("support/fresher").tag("new")
    assert paths(lab, tag="new") == ["support/fresher"]
    ada.flow("support/fresher").archive()
    assert paths(lab, tag="new") == []


def test_another_organisation_finds_nothing(lab: Lab) -> None:
    assert settled_lab(lab.warehouse).find().items.height == 0


def test_what_was_found_is_shown_as_text_only(lab: Lab) -> None:
    lab.flow("support/<img src=x onerror=alert(1)>").describe("<b>\u202eevil</b>").tag("<i>").pin()
    found = lab.find("IMG")
    assert repr(found).splitlines()[0] == "<Found 1 flow>"
    html = found._repr_html_()
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\u202e" not in html
    assert "&lt;i&gt;" in html
    assert repr(lab.find("nothing like it")) == "<Found nothing>"
    assert repr(lab.find()).startswith("<Found 2 libraries, 4 flows, 2 templates>\n")


def test_only_the_first_of_many_are_shown(lab: Lab) -> None:
    for number in range(25):
        lab.library(f"many/{number}").create()
    found = lab.find(kind="library")
    assert repr(found).splitlines()[-1] == "  … 8 more"
    assert "… 8 more" in found._repr_html_()
