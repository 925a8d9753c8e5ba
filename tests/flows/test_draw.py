from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from promptstudio_lab.flows.draw import ACCENTS, headline, svg
from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.flows.layout import places
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import kinds
from tests.flows.parts import triage_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.values import Json

HARMLESS = {"svg", "style", "g", "title", "rect", "text", "path"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</text><foreignObject><iframe/></foreignObject>",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "]]><script/>",
    "&lt;b&gt; &#60;",
    "{{ x }} ${x} `x`",
    "</style><script>1</script>",
    "javascript:alert(1)",
]
CONTROL = ["a\x08b", "a\x00b", "a\x1bb", "a\ufffeb", "a\ud800b"]


def parsed(picture: str) -> ET.Element:
    picture.encode("utf-8")
    return ET.fromstring(picture)


def elements(picture: str) -> Iterator[ET.Element]:
    for element in parsed(picture).iter():
        element.tag = element.tag.rpartition("}")[2]
        yield element


def harmless(picture: str) -> None:
    for element in elements(picture):
        assert element.tag in HARMLESS
        assert not [name for name in element.attrib if name.lower().startswith("on")]
        assert not [name for name in element.attrib if name.lower().endswith(("href", "src"))]
        assert not [name for name in element.attrib if name == "style"]


def everywhere(text: str) -> Graph:
    """Return a flow with this text in every place that holds text."""
    places_of_text: list[tuple[str, Json]] = [
        ("prompt", {"prompt": {"text": text}}),
        ("llm", {"model": text, "prompt": {"ref": text}, "system": text}),
        ("switch", {"cases": [text, "b"]}),
        ("output", {"fields": [text]}),
        ("transform", {"do": text}),
        (text, {text: text}),
    ]
    nodes = tuple(
        Node(new_id(), f"{text}{n}", kind, config)
        for n, (kind, config) in enumerate(places_of_text)
    )
    edges = [
        Edge(new_id(), nodes[2].id, text, nodes[3].id, "when"),
        Edge(new_id(), nodes[0].id, text, nodes[1].id, text, text),
    ]
    graph = Graph(nodes, tuple(edges))
    return graph.moved(places(graph))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_ever_text(text: str) -> None:
    picture = svg(everywhere(text), text)
    harmless(picture)
    said = "".join("".join(element.itertext()) for element in elements(picture))
    assert text in said
    assert parsed(picture).attrib["aria-label"] == text


@pytest.mark.parametrize("text", CONTROL, ids=ascii)
def test_control_characters_do_not_break_the_picture(text: str) -> None:
    harmless(svg(everywhere(text), text))


def test_an_empty_flow_says_what_to_do() -> None:
    picture = svg(Graph(), '<b>"empty"</b>')
    harmless(picture)
    assert "Add a node" in "".join(parsed(picture).itertext())
    assert parsed(picture).attrib["aria-label"] == '<b>"empty"</b>'
    assert parsed(svg(Graph())).attrib["aria-label"] == "flow"


def test_every_node_and_edge_is_drawn_inside_the_picture() -> None:
    graph = triage_graph()
    far = graph.moved({node.id: (-5e3 + 300 * n, 4e4) for n, node in enumerate(graph.nodes)})
    for shown in (graph.moved(places(graph)), far):
        root = parsed(svg(shown))
        found = list(elements(svg(shown)))
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert root.attrib["viewBox"] == f"0 0 {width:g} {height:g}"
        spots = [e.attrib["transform"] for e in found if e.tag == "g"]
        assert len(spots) == len(graph.nodes)
        for spot in spots:
            x, y = map(float, spot.removeprefix("translate(").removesuffix(")").split(","))
            assert 0 <= x <= width - 208
            assert 0 <= y <= height - 60
        assert sum(e.tag == "path" for e in found) == len(graph.edges)
        texts = {e.text for e in found if e.tag == "text"}
        assert {node.key for node in graph.nodes} <= texts
        assert {"billing", "default"} <= texts, "branches carry their case"


def test_each_category_has_its_accent() -> None:
    assert {kind.category for _, kind in kinds.items()} == set(ACCENTS)


@pytest.mark.parametrize(
    ("kind", "config", "line"),
    [
        ("input", {"type": "text"}, "text"),
        ("llm", {"model": "a:b", "prompt": {"ref": "x/y@1"}}, "a:b · x/y@1"),
        ("llm", {"prompt": {"text": "Hi"}}, "Hi"),
        ("prompt", {"prompt": {"text": "Hi"}}, "Hi"),
        ("switch", {"cases": ["a", "b"]}, "a, b"),
        ("switch", {}, "Switch"),
        ("nobody", {"prompt": {"text": "Hi"}}, "unknown kind nobody"),
        ("output", {"fields": ["a", 1]}, "a, 1"),
        ("merge", {"strategy": 5}, "5"),
    ],
)
def test_headlines(kind: str, config: Json, line: str) -> None:
    assert headline(Node("", "n", kind, config)) == line


def test_long_text_is_cut_and_stays_whole_in_the_tooltip() -> None:
    long = "word " * 50
    picture = svg(Graph((Node("i", "k" * 60, "prompt", {"prompt": {"text": long}}),)))
    texts = [e.text or "" for e in elements(picture) if e.tag == "text"]
    assert max(map(len, texts)) <= 30
    assert [e.text for e in elements(picture) if e.tag == "title"] == [long]


def test_the_picture_needs_no_script_and_no_other_file() -> None:
    picture = svg(triage_graph())
    assert "url(" not in picture
    assert "@import" not in picture
    assert picture.count("http") == 1, "the name of the format and nothing else"
