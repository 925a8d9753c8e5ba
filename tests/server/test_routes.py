from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import promptstudio_lab.server
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab import connect
from promptstudio_lab.warehouse.organizations import _found
from tests.server.conftest import choose

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from tests.server.visiting import Server

CONFIGURATION = Path(__file__).parents[2] / "extension" / "jupyter_server_config.d"


def message(do: str, **more: object) -> dict[str, object]:
    return {"client_id": "tab", "do": do, **more}


def added(key: str) -> dict[str, object]:
    return {
        "type": "add",
        "op_id": new_id(),
        "node": new_id(),
        "kind": "input",
        "key": key,
        "x": 10,
        "y": 20,
    }


def test_installing_switches_the_extension_on() -> None:
    (file,) = CONFIGURATION.glob("*.json")
    named = json.loads(file.read_text(encoding="utf-8"))["ServerApp"]["jpserver_extensions"]
    (point,) = promptstudio_lab.server._jupyter_server_extension_points()
    assert named == {point["module"]: True}


def test_status_is_what_a_kernel_there_would_say(server: Server, lab: Lab) -> None:
    status = server.get("status").json
    assert status["warehouse"] == {
        "id": lab.warehouse.id,
        "url": lab.warehouse.url,
        "why": f"`warehouse` in {server.root / 'promptstudio.toml'}",
        "dialect": "sqlite",
    }
    assert status["user"]["id"] == lab.actor.id
    assert status["lab"] == {"id": lab.id, "name": "default"}
    assert status["version"] == promptstudio_lab.__version__


def test_tree_shows_libraries_in_libraries_with_flows_and_templates(
    server: Server, lab: Lab
) -> None:
    flow = lab.flow("shop/answers/triage")
    flow.input("ticket", "text")
    flow.head()
    lab.template("shop/answers/polite", "Please: {{ ticket }}")
    lab.template("shop/answers/polite", "Kindly: {{ ticket }}")
    lab.template("shop/prompts/only", "{{ ticket }}")
    (found,) = server.get("tree").json["labs"]
    shop = next(library for library in found["libraries"] if library["name"] == "shop")
    assert (shop["flow_count"], shop["template_count"]) == (1, 2)
    assert [library["path"] for library in shop["libraries"]] == ["shop/answers", "shop/prompts"]
    answers = shop["libraries"][0]
    assert answers["flows"] == [
        {
            "id": flow.id,
            "name": "triage",
            "path": "shop/answers/triage",
            "version": 0,
            "color": None,
            "icon": None,
            "tags": [],
            "pinned": False,
            "nodes": 1,
        }
    ]
    assert [(each["name"], each["version"]) for each in answers["templates"]] == [("polite", 2)]


def test_a_template_comes_with_all_its_texts_as_they_were_written(server: Server, lab: Lab) -> None:
    hostile = "<img src=x onerror=alert(1)> {{ ticket }} \u202e"
    lab.template("shop/hostile", "first {{ ticket }}", "a start")
    lab.template("shop/hostile", hostile)
    (found,) = server.get("tree").json["labs"]
    shop = next(library for library in found["libraries"] if library["name"] == "shop")
    key = next(each["id"] for each in shop["templates"] if each["name"] == "hostile")
    template = server.get(f"templates/{key}").json
    assert template["path"] == "shop/hostile"
    texts = [(version["version"], version["text"]) for version in template["versions"]]
    assert texts == [(2, hostile), (1, "first {{ ticket }}")]
    assert template["versions"][1]["note"] == "a start"
    assert template["versions"][0]["variables"] == ["ticket"]


def test_a_flows_inline_prompt_is_no_template_of_a_library(server: Server, lab: Lab) -> None:
    flow = lab.flow("inline/one")
    name = flow.input("name", "text")
    flow.output(greeting=flow.prompt("hello", prompt="Hello {{ name }}!", name=name))
    flow.run(name="world")
    (key,) = lab.sql("SELECT id FROM prompt_template WHERE flow_id = :flow", flow=flow.id)["id"]
    (found,) = server.get("tree").json["labs"]
    (inline,) = [each for each in found["libraries"] if each["name"] == "inline"]
    assert (inline["flow_count"], inline["template_count"]) == (1, 0)
    assert server.get(f"templates/{key}").status == 404


def test_a_flow_is_made_once_however_often_it_is_asked_for(server: Server) -> None:
    made = server.post("flows", {"path": "fresh"}).json
    assert made["path"] == "Drafts/fresh"
    assert server.post("flows", {"path": "fresh"}).json == made
    assert server.get(f"flows/{made['id']}").json["nodes"] == []


def test_problems_that_a_view_has_are_not_told_again(server: Server, lab: Lab) -> None:
    flow = lab.flow("faces/checked")
    url = f"flows/{flow.id}/messages"
    flow.apply(added("ticket"))
    opened = server.get(f"flows/{flow.id}").json
    assert opened["problems"], "an input that nothing takes is one"
    known = {"problems_tag": opened["problems_tag"]}
    moved = {"type": "move", "nodes": {opened["nodes"][0]["id"]: {"x": 16, "y": 0}}}
    change = server.post(url, message("edit", operation=moved, **known)).json["change"]
    assert (change["problems"], change["problems_tag"]) == (None, known["problems_tag"])
    asked = f"flows/{flow.id}/changes?since={opened['seq']}"
    assert server.get(asked).json["problems"] == opened["problems"], "to whoever names no tag"
    assert server.get(f"{asked}&problems_tag={known['problems_tag']}").json["problems"] is None
    change = server.post(url, message("edit", operation=added("other"), **known)).json["change"]
    assert len(change["problems"]) > len(opened["problems"])
    assert change["problems_tag"] != known["problems_tag"]


def test_an_edit_in_the_tab_shows_in_the_kernel_which_can_take_it_back(
    server: Server, lab: Lab
) -> None:
    flow = lab.flow("faces/shared")
    url = f"flows/{flow.id}/messages"
    change = server.post(url, message("edit", operation=added("ticket"))).json["change"]
    assert [node["key"] for node in change["nodes"]] == ["ticket"]
    assert list(flow.graph_now.by_key) == ["ticket"]
    flow.undo()
    changes = server.get(f"flows/{flow.id}/changes?since={change['seq']}").json
    assert changes["gone_nodes"] == [change["nodes"][0]["id"]]
    assert server.get(f"flows/{flow.id}").json["nodes"] == []
    assert server.post(url, message("redo")).json["ok"]
    assert list(flow.graph_now.by_key) == ["ticket"]


def test_a_repeated_operation_is_done_once(server: Server, lab: Lab) -> None:
    flow = lab.flow("faces/repeated")
    sent = message("edit", operation=added("ticket"))
    first, second = (server.post(f"flows/{flow.id}/messages", sent).json for _ in range(2))
    assert first == second
    assert flow.head().seq == 1


def test_what_bears_a_key_is_done_once_and_answered_each_time(server: Server, lab: Lab) -> None:
    flow = lab.flow("faces/undone")
    url = f"promptstudio/flows/{flow.id}/messages"
    for key in ("one", "two", "three"):
        server.post(f"flows/{flow.id}/messages", message("edit", operation=added(key)))

    def undo(key: str) -> object:
        sent = {**server.token, "Idempotency-Key": key}
        return server.ask("POST", url, message("undo"), sent).json

    with ThreadPoolExecutor(4) as at_once:
        first, *again = at_once.map(undo, ["the first"] * 4)
    assert [first] * 3 == again
    assert list(flow.graph_now.by_key) == ["one", "two"]
    assert undo("the second") != first
    assert list(flow.graph_now.by_key) == ["one"]
    other = lab.flow("faces/elsewhere")
    sent = {**server.token, "Idempotency-Key": "the first"}
    elsewhere = server.ask("POST", f"promptstudio/flows/{other.id}/messages", message("undo"), sent)
    assert elsewhere.json != first


def test_a_refused_edit_is_an_answer_with_its_reason(server: Server, lab: Lab) -> None:
    flow = lab.flow("faces/refused")
    operation = {**added("ticket"), "kind": "imput"}
    reply = server.post(f"flows/{flow.id}/messages", message("edit", operation=operation))
    assert reply.status == 200
    assert reply.json["ok"] is False
    assert reply.json["code"] == "OperationRefused"
    assert "did you mean 'input'" in reply.json["message"]


MALFORMED: dict[str, Any] = {  # a body is bytes, or whatever JSON it should be
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "not an object": [1],
    "a key twice": b'{"client_id": "a", "client_id": "b", "do": "undo"}',
    "NaN": b'{"client_id": "a", "do": "changes", "since": NaN}',
    "a number of 5000 digits": b'{"client_id": "a", "do": "changes", "since": '
    + b"1" * 5000
    + b"}",
    "no client": {"do": "undo"},
    "a client that is no word": {"client_id": "a\u0000b", "do": "undo"},
    "nothing to do": {"client_id": "a"},
    "an unknown thing to do": {"client_id": "a", "do": "run"},
    "an edit without an operation": {"client_id": "a", "do": "edit"},
    "an operation that is a list": message("edit", operation=[]),
    "an operation without a type": message("edit", operation={}),
    "nodes that are no list": message("edit", operation={"type": "remove", "nodes": 5}),
    "edges that are lists": message("edit", operation={"type": "remove", "edges": [[]]}),
    "places that are no places": message("edit", operation={"type": "move", "nodes": {"a": 1}}),
    "a config that is a text": message("edit", operation={"type": "configure", "config": "x"}),
    "a since that is a text": message("changes", since="0"),
    "too deep": b'{"client_id": "a", "do": "undo", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    "far too deep": b"[" * 100_000,
    "too long": b'{"client_id": "a", "do": "undo", "x": "' + b"x" * 1024 * 1024 + b'"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused_in_words(server: Server, lab: Lab, body: object) -> None:
    flow = lab.flow("faces/malformed")
    reply = server.post(f"flows/{flow.id}/messages", body)
    assert reply.status == 400
    assert set(reply.json) == {"code", "message"}
    assert len(reply.json["message"]) > len("/: ")
    assert len(reply.json["message"]) < 500
    assert flow.head().seq == 0


@pytest.mark.parametrize(
    "path", ["", " ", "a//b", "/", "a\u0000b", "x" * 501, 5, None, ["a"], "\ud800"]
)
def test_a_flow_needs_a_path(server: Server, path: object) -> None:
    before = server.get("tree").json
    reply = server.post("flows", {"path": path})
    assert reply.status == 400, reply.text
    assert reply.json["message"]
    assert server.get("tree").json == before


@pytest.mark.parametrize("since", ["", "-1", "1.5", "x", "1" * 30, "\u0661"])
def test_changes_need_a_sequence(server: Server, lab: Lab, since: str) -> None:
    flow = lab.flow("faces/sequence")
    assert server.get(f"flows/{flow.id}/changes?since={quote(since)}").status == 400


def test_another_organisations_things_are_as_missing_as_what_never_was(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMPTSTUDIO_WAREHOUSE", raising=False)
    folder = server.root / "shared"
    choose(folder, "shared.db")
    ours = connect(beside=folder)
    _found(ours.warehouse, "theirs")
    theirs = connect(beside=folder, organization="theirs")
    flow = theirs.flow("secret/flow")
    template = theirs.template("secret/template", "theirs")
    there = "beside=shared/a.ipynb&organization="
    secret = server.get(f"tree?{there}theirs").json["labs"][0]["libraries"][0]
    assert secret["flows"][0]["id"] == flow.id
    key = secret["templates"][0]["id"]
    assert server.get(f"templates/{key}?{there}theirs").json["versions"][0]["text"] == template.text
    assert server.get(f"tree?{there}default").json["labs"][0]["libraries"] == []
    assert server.get(f"tree?{there}").status == 404
    asked = message("edit", operation=added("mine"))
    for found, missing in ((flow.id, new_id()), (key, new_id())):
        for kind in ("flows/{}", "flows/{}/changes", "templates/{}"):
            url = f"{kind}?{there}default&since=0"
            replies = [server.get(url.format(quote(str(each)))) for each in (found, missing)]
            assert [reply.status for reply in replies] == [404, 404]
            texts = [
                reply.json["message"].replace(str(each), "")
                for reply, each in zip(replies, (found, missing), strict=True)
            ]
            assert texts[0] == texts[1]
        reply = server.post(f"flows/{found}/messages?{there}default", asked)
        assert reply.status == 404
    assert flow.head().seq == 0


@pytest.mark.parametrize("key", ["x", "..%2F..%2Fetc", "%00", "A" * 5000, "' OR 1=1 --"])
def test_what_is_no_id_is_missing(server: Server, key: str) -> None:
    reply = server.get(f"flows/{quote(key, safe='%')}")
    assert reply.status == 404
    assert server.get(f"templates/{quote(key, safe='%')}").status == 404


def test_the_notebook_decides_which_warehouse(server: Server) -> None:
    choose(server.root / "project", "own.db")
    (server.root / "project" / "deep").mkdir()
    url = f"sqlite:///{server.root / 'project' / 'own.db'}"
    for beside in ("project/a.ipynb", "project", "project/deep/b.ipynb", "project/deep/"):
        assert server.get(f"status?beside={beside}").json["warehouse"]["url"] == url
    assert server.get("status?beside=a.ipynb").json["warehouse"]["url"] != url


def test_no_path_leads_out_of_the_servers_folder(server: Server) -> None:
    outside = server.root.parent / "outside"
    choose(outside, "outside.db")
    beside = server.root.parent / "rootless"  # begins like the root, and is not in it
    choose(beside, "rootless.db")
    (server.root / "link").symlink_to(outside)
    for path in (
        "../outside/a.ipynb",
        str(outside / "a.ipynb"),
        "link/a.ipynb",
        "../rootless/a.ipynb",
        "project/../../outside/a.ipynb",
        "../root/../outside/a.ipynb",
    ):
        reply = server.get(f"status?beside={quote(path)}")
        assert (path, reply.status) == (path, 403)
    assert not list(outside.glob("*.db"))


def test_a_memory_warehouse_is_explained_and_not_opened(server: Server) -> None:
    choose(server.root / "fleeting", "memory")
    reply = server.get("tree?beside=fleeting/a.ipynb")
    assert (reply.status, reply.json["code"]) == (503, "WarehouseUnavailable")
    assert "inside one process" in reply.json["message"]


def test_a_broken_settings_file_is_named(server: Server) -> None:
    folder = server.root / "untidy"
    folder.mkdir()
    (folder / "promptstudio.toml").write_text("warehouse =", encoding="utf-8")
    reply = server.get("status?beside=untidy/a.ipynb")
    assert (reply.status, reply.json["code"]) == (503, "SettingsError")
    assert "promptstudio.toml" in reply.json["message"]


def test_the_unexpected_is_recorded_and_shows_nothing(server: Server) -> None:
    choose(server.root / "broken", "broken.db")
    there = "beside=broken/a.ipynb"
    flow_id = server.post(f"flows?{there}", {"path": "odd"}).json["id"]
    operation = added("ticket")
    edit = message("edit", operation=operation)
    assert server.post(f"flows/{flow_id}/messages?{there}", edit).json["ok"]
    with sqlite3.connect(server.root / "broken" / "broken.db") as connection:
        connection.execute("UPDATE flow_node SET config = '[]'")  # JSON, but no node's settings
    connection.close()
    # What nobody touches is known already; a fault in a row is read once an edit touches it.
    moved = {"type": "move", "op_id": new_id(), "nodes": {operation["node"]: {"x": 1, "y": 2}}}
    edit = message("edit", operation=moved)
    assert server.post(f"flows/{flow_id}/messages?{there}", edit).status == 500
    reply = server.get(f"flows/{flow_id}?{there}")
    assert (reply.status, reply.json["code"]) == (500, "Unexpected")
    assert "AttributeError" not in reply.text
    number = reply.json["message"].rpartition(" ")[2]
    log = server.log.read_text(encoding="utf-8")
    assert number in log
    assert "AttributeError" in log


def test_many_tabs_edit_one_flow_at_once(server: Server, lab: Lab) -> None:
    from concurrent.futures import ThreadPoolExecutor

    flow = lab.flow("faces/crowd")
    url = f"flows/{flow.id}/messages"
    sent = [message("edit", operation=added(f"n{number}")) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: server.post(url, body), sent))
    assert all(reply.json["ok"] for reply in replies)
    assert len(flow.graph_now.nodes) == 16
    assert flow.head().seq == 16


def test_a_fork_says_where_it_came_from_and_labels_move(server: Server, lab: Lab) -> None:
    flow = lab.flow("support/triage")
    flow.output(answer=flow.input("question"))
    flow.save()
    made = server.post(f"flows/{flow.id}/forks", {"path": "support/mine", "version": 1}).json
    origin = {"id": flow.id, "path": "support/triage", "version": 1}
    assert made["origin"] == origin
    assert server.get(f"flows/{made['id']}").json["flow"]["origin"] == origin
    assert server.get(f"flows/{made['id']}/versions").json["origin"] == origin
    assert server.get(f"flows/{flow.id}").json["flow"]["origin"] is None

    fork = lab.flow("support/mine")
    asked = fork.head().graph.by_key["question"].id
    fork.apply({"type": "rename", "node": asked, "key": "asked"})
    address = f"flows/{made['id']}/messages"
    (hunk,) = server.post(address, message("ask", about="merge")).json["data"]["hunks"]
    assert hunk["lines"] == ["~ question is called asked"]
    for wrong in ([], ["none"], None, [7]):
        refused = server.post(address, message("merge", hunks=wrong))
        assert refused.status == 400 or refused.json["ok"] is False
    assert server.post(address, message("merge", hunks=[hunk["id"]])).json["ok"]
    assert "asked" in flow.head().graph.by_key

    again = server.post(f"flows/{flow.id}/forks", {"path": "support/mine"})
    assert (again.status, again.json["code"]) == (400, "OperationRefused")
    labels = f"flows/{flow.id}/labels"
    named = server.post(labels, {"name": "production", "version": 1}).json
    assert named["labels"] == {"production": 1}
    away = server.post(f"flows/{flow.id}/messages", message("label", name="production")).json
    assert away == {"ok": True, "data": {}}
