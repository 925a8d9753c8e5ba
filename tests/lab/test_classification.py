"""Data that is kept closely goes only where the user's own settings let it go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab import settings
from promptstudio_lab.errors import AccessDenied, DatasetError, FlowInvalid, OperationRefused
from promptstudio_lab.lab import Lab
from tests.engine import conftest as engine
from tests.engine.graphs import ask, flow_of, gives, node

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab.flows import Flow
    from tests.engine.parts import Scripted

scripted = engine.scripted


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's own settings file, which is not there yet."""
    monkeypatch.setattr(settings, "configuration_directory", lambda: tmp_path)
    return tmp_path / "settings.toml"


def asking(lab: Lab) -> Flow:
    x = node("input", {"type": "text"})
    said = ask(x="x.value", model="scripted:small")
    return flow_of(lab, "a/ask", {"x": x, "say": said, "out": gives(y="say.text")})


def codes(flow: Flow) -> list[str]:
    """Return what stands in the way of a run."""
    return [problem.code for problem in flow.check() if problem.severity == "error"]


def test_what_is_restricted_goes_nowhere_unless_the_user_clears_it(
    lab: Lab, scripted: Scripted, own: Path
) -> None:
    flow = asking(lab)
    for level in ("public", "internal", "confidential"):
        assert codes(flow.classify(level)) == []
    flow.classify("restricted")
    assert codes(flow) == ["F406"]
    with pytest.raises(FlowInvalid, match="restricted"):
        flow.run(x="a")
    assert scripted.requests == [], "nothing was sent"
    own.write_text('[clearances]\nscripted = "anything"\n')
    assert codes(flow.classify("internal")) == ["F406"]
    flow.classify("restricted")
    own.write_text('[clearances]\nscripted = "restricted"\n')
    assert codes(flow) == []
    assert flow.run(x="a").status == "succeeded"


@pytest.mark.usefixtures("own")
def test_a_flow_is_held_to_the_rows_that_it_runs_on(lab: Lab, scripted: Scripted) -> None:
    flow = asking(lab)
    rows = lab.dataset("patients", [{"id": "a", "x": "Ada"}]).classify("restricted")
    assert rows.classification == "restricted"
    for data in (rows, lab.dataset("patients")):
        with pytest.raises(FlowInvalid, match="restricted"):
            flow.batch(data)
    assert scripted.requests == []
    assert flow.batch([{"x": "Ada"}])["status"].to_list() == ["succeeded"]
    rows.classify("internal")
    assert flow.batch(lab.dataset("patients"))["status"].to_list() == ["succeeded"]


@pytest.mark.usefixtures("own")
def test_the_offline_provider_may_know_everything(lab: Lab) -> None:
    x = node("input", {"type": "text"})
    said = ask(x="x.value", model="simulated:small")
    flow = flow_of(lab, "a/offline", {"x": x, "say": said, "out": gives(y="say.text")})
    assert flow.classify("restricted").run(x="a").status == "succeeded"


def test_classes_have_names_and_rows_that_are_not_kept_have_none(lab: Lab) -> None:
    flow = asking(lab)
    with pytest.raises(OperationRefused, match="did you mean 'restricted'"):
        flow.classify("restrictd")
    kept = lab.dataset("rows", [{"x": "a"}])
    with pytest.raises(DatasetError, match="did you mean 'public'"):
        kept.classify("publik")
    with pytest.raises(DatasetError, match="not kept"):
        type(kept).of(lab.environment, [{"x": "a"}]).classify("public")


def test_only_who_decides_on_access_decides_on_the_class(lab: Lab) -> None:
    asking(lab)
    lab.library("a").permit("editor", "edit")
    editor = replace(lab.actor, id="editor", name="editor", role="analyst")
    theirs = Lab(lab.warehouse, editor, lab.id, lab.name, lab.choice).flow("a/ask")
    theirs.describe("mine")
    with pytest.raises(AccessDenied):
        theirs.classify("public")
