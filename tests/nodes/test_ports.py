from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.nodes.models.llm import shaped
from promptstudio_lab.nodes.ports import TYPES, WHEN, Port, Ports, mismatch, type_at, type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.values import Json

QUIETLY = settings(deadline=None, derandomize=True, max_examples=100, database=None)
LISTS = [f"list[{name}]" for name in ("text", "json", "int", "float", "bool")]
ANY_TYPE = st.sampled_from([*TYPES, *LISTS])


@QUIETLY
@given(ANY_TYPE)
def test_every_type_fits_itself(name: str) -> None:
    assert mismatch(name, name) is None


@QUIETLY
@given(ANY_TYPE)
def test_any_fits_everything_but_a_branch(name: str) -> None:
    is_branch = name == "branch"
    assert (mismatch("any", name) is not None) == is_branch
    assert (mismatch(name, "any") is not None) == is_branch


@QUIETLY
@given(ANY_TYPE, ANY_TYPE)
def test_a_refusal_names_both_types(source: str, target: str) -> None:
    reason = mismatch(source, target)
    if reason is not None:
        assert f" {source} " in reason
        assert f" {target}" in reason


@QUIETLY
@given(ANY_TYPE)
def test_a_branch_fits_only_a_branch(name: str) -> None:
    assert (mismatch("branch", name) is None) == (name == "branch")
    assert (mismatch(name, "branch") is None) == (name == "branch")


@QUIETLY
@given(st.sampled_from(["int", "float", "bool", "text", "messages", "document", *LISTS]))
def test_everything_with_a_json_form_fits_json(name: str) -> None:
    assert mismatch(name, "json") is None


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        ("int", "float", True),
        ("float", "int", False),
        ("text", "int", False),
        ("bool", "int", False),
        ("json", "text", True),
        ("text", "json", True),
        ("table", "json", False),
        ("table", "text", False),
        ("list", "list[text]", False),
        ("list[text]", "list", True),
        ("list[text]", "list[json]", False),
        ("messages", "text", False),
        ("document", "text", True),
    ],
)
def test_the_matrix(source: str, target: str, *, fits: bool) -> None:
    assert (mismatch(source, target) is None) == fits


def test_a_list_into_its_own_kind_is_hinted_at() -> None:
    assert "map node" in str(mismatch("list[int]", "text"))
    assert "map node" not in str(mismatch("list[int]", "table"))


def test_every_node_may_wait_for_a_branch() -> None:
    port = Ports().input(WHEN)
    assert port == Port(WHEN, "branch", required=False, many=True)
    assert Ports().input("x") is None
    assert Ports().output("x") is None


DEEP = Port(
    "json",
    "json",
    schema={
        "properties": {
            "label": {"enum": ["a", "b"]},
            "n": {"type": "integer"},
            "odds": {"type": "number"},
            "sure": {"type": "boolean"},
            "who": {"type": "object", "properties": {"name": {"type": "string"}}},
            "rows": {"type": "array", "items": {"type": "string"}},
            "codes": {"enum": [1, 2]},
            "free": {},
        }
    },
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", "json"),
        ("label", "text"),
        ("n", "int"),
        ("odds", "float"),
        ("sure", "bool"),
        ("who", "json"),
        ("who.name", "text"),
        ("who.nmae", None),
        ("who.name.x", None),
        ("rows.0", "any"),
        ("codes", "json"),
        ("free.x", "any"),
        ("n.x", None),
        ("lable", None),
    ],
)
def test_the_type_inside_a_value(path: str, found: str | None) -> None:
    assert type_at(DEEP, path) == found


def test_nothing_is_inside_a_plain_value() -> None:
    assert type_at(Port("text", "text"), "x") is None
    assert type_at(Port("value", "any"), "x.y") == "any"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": True}},
        {"properties": {"x": {"enum": 5}}},
        {"properties": 5},
        {"properties": {"x": {"type": ["string", "null"]}}},
    ],
    ids=["boolean schema", "enum of nothing", "properties of nothing", "two types"],
)
def test_a_strange_schema_has_some_type_and_no_accident(schema: Json) -> None:
    assert type_at(Port("json", "json", schema=schema), "x") in {None, *TYPES}


def test_types_of_schemas() -> None:
    assert type_of({"type": "string"}) == "text"
    assert type_of({}) == "json"


@contextmanager
def _listening() -> Iterator[tuple[str, list[str]]]:
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_shape_that_refers_elsewhere_is_not_fetched() -> None:
    with _listening() as (origin, heard):
        with suppress(PromptStudioError):
            shaped("{}", {"$ref": f"{origin}/schema"})
        assert heard == []
