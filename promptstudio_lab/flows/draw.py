"""A flow as a static picture: SVG that needs no script, follows the theme and survives export."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.flows.layout import HEIGHT as _HEIGHT
from promptstudio_lab.flows.layout import WIDTH as _WIDTH
from promptstudio_lab.flows.layout import absolute, is_frame, size
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.ports import WHEN
from promptstudio_lab.shown import literal

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.values import Json

_MARGIN = 16
_LONGEST = 30

# One hue a category, safe for colour-blind readers (Okabe and Ito); never the only sign.
ACCENTS = {"Data": "#0072B2", "Models": "#CC79A7", "Logic": "#E69F00", "Outside": "#009E73"}
_OTHER = "#7A7A7A"

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# A notebook has its theme's colours; a page that has none is as light or dark as its reader's rest.
_STYLE = """
.psl-flow{font-family:var(--jp-ui-font-family,system-ui,sans-serif);max-width:100%;height:auto;
--psl-card:#fff;--psl-frame:#f5f5f5;--psl-rim:#bdbdbd;--psl-ink:#212121;--psl-quiet:#616161}
@media (prefers-color-scheme:dark){.psl-flow{
--psl-card:#1e1e1e;--psl-frame:#161616;--psl-rim:#5c5c5c;--psl-ink:#e6e6e6;--psl-quiet:#b0b0b0}}
.psl-flow .card{fill:var(--jp-layout-color1,var(--psl-card));
stroke:var(--jp-border-color1,var(--psl-rim))}
.psl-flow .frame{fill:var(--jp-layout-color2,var(--psl-frame));
stroke:var(--jp-border-color1,var(--psl-rim))}
.psl-flow .key{fill:var(--jp-ui-font-color1,var(--psl-ink));font-size:13px;font-weight:600}
.psl-flow .line{fill:var(--jp-ui-font-color2,var(--psl-quiet));font-size:11px}
.psl-flow .edge{fill:none;stroke:var(--jp-ui-font-color3,#8a8a8a);stroke-width:1.5}
.psl-flow .branch{stroke-dasharray:5 4}
.psl-flow .chip{fill:var(--jp-layout-color2,var(--psl-frame));
stroke:var(--jp-border-color2,var(--psl-rim))}
.psl-flow .chip-text{fill:var(--jp-ui-font-color1,var(--psl-ink));font-size:11px;
text-anchor:middle}
"""


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


def svg(graph: Graph, title: str = "") -> str:
    """Return the flow as an SVG picture; every text in it is literal.

    Args:
        graph: the flow.
        title: what the picture is called for readers who cannot see it.
    """
    if not graph.nodes:
        return _empty(title)
    standing = absolute(graph).nodes
    left = min(node.x for node in standing) - _MARGIN
    top = min(node.y for node in standing) - _MARGIN
    boxes = {
        there.id: _Box(there.x - left, there.y - top, *size(graph, node))
        for node, there in zip(graph.nodes, standing, strict=True)
    }
    width = max(box.x + box.width for box in boxes.values()) + _MARGIN
    height = max(box.y + box.height for box in boxes.values()) + _MARGIN
    edges = "".join(
        _edge(edge, boxes) for edge in graph.edges if {edge.source, edge.target} <= boxes.keys()
    )
    nodes = "".join(
        _node(node, boxes[node.id]) for node in graph.nodes if not is_frame(graph, node)
    )
    outermost = sorted(graph.nodes, key=lambda node: graph.name(node).count("/"))
    frames = "".join(_frame(node, boxes[node.id]) for node in outermost if is_frame(graph, node))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="psl-flow" role="img" '
        f'aria-label="{xml_text(title or "flow")}" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}"><style>{_STYLE}</style>{frames}{edges}{nodes}</svg>'
    )


def still(picture: str, title: str = "") -> str:
    """Return a picture as HTML that notebooks show to whoever does not trust them.

    Args:
        picture: SVG.
        title: what it is called for readers who cannot see it.

    >>> still("<svg/>", "<b>")
    '<img class="psl-still" alt="&lt;b&gt;" src="data:image/svg+xml;base64,PHN2Zy8+">'
    """
    data = b64encode(picture.encode()).decode()
    return (
        f'<img class="psl-still" alt="{xml_text(title or "flow")}" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def page(picture: str, title: str = "") -> str:
    """Return a picture as HTML that follows the theme where it may, and shows everywhere.

    JupyterLab drops styles and SVG from notebooks that a reader does not trust, and keeps images.
    """
    shown = ".psl-live{display:block!important}.psl-live+.psl-still{display:none}"
    return (
        f'<style>{shown}</style><div class="psl-live" style="display:none">{picture}</div>'
        f"{still(picture, title)}"
    )


def headline(node: Node) -> str:
    """Return the one line that a node's card shows under its name.

    >>> from promptstudio_lab.flows.graph import Node
    >>> headline(Node("", "route", "switch", {"cases": ["billing", "tech"]}))
    'billing, tech'
    >>> headline(Node("", "route", "switch", {"cases": [{"name": "long", "when": "len(x) > 9"}]}))
    'long: len(x) > 9'
    """
    if node.kind not in kinds:
        return f"unknown kind {node.kind}"
    name = kinds[node.kind].headline
    parts = [_short(node.config.get(name))] if name else []
    prompt = node.config.get("prompt")
    if isinstance(prompt, dict) and name != "prompt":
        parts.append(_short(prompt))
    return " · ".join(filter(None, parts)) or kinds[node.kind].title


def _short(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_named, value)))
    if isinstance(value, dict):
        return str(value.get("ref") or value.get("text") or "")
    return "" if value is None else str(value)


def _named(item: Json) -> str:
    if not isinstance(item, dict):
        return _short(item)
    return ": ".join(str(item[name]) for name in ("name", "when") if item.get(name) is not None)


def xml_text(text: str) -> str:
    """Return text as XML that shows that very text.

    >>> xml_text("a & b")
    'a &amp; b'
    """
    # What XML 1.0 cannot hold shows nothing, so it is spelled out like all that is hidden.
    return literal(_NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _cut(text: str, longest: int = _LONGEST) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _frame(node: Node, box: _Box) -> str:
    kind = kinds.get(node.kind)
    accent = ACCENTS.get(kind.category, _OTHER) if kind else _OTHER
    title = " · ".join(dict.fromkeys((kind.title if kind else node.kind, headline(node))))
    return (
        f'<g transform="translate({box.x:g},{box.y:g})"><title>{xml_text(headline(node))}</title>'
        f'<rect class="frame" width="{box.width:g}" height="{box.height:g}" rx="8"/>'
        f'<rect width="4" height="{box.height - 12:g}" x="0" y="6" rx="2" fill="{accent}"/>'
        f'<text class="key" x="14" y="19">{xml_text(_cut(node.key, 18))}</text>'
        f'<text class="line" x="14" y="35">{xml_text(_cut(title))}</text></g>'
    )


def _node(node: Node, box: _Box) -> str:
    kind = kinds.get(node.kind)
    accent = ACCENTS.get(kind.category, _OTHER) if kind else _OTHER
    name = kind.title if kind else node.kind
    return (
        f'<g transform="translate({box.x:g},{box.y:g})"><title>{xml_text(headline(node))}</title>'
        f'<rect class="card" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<rect width="4" height="{_HEIGHT - 12}" x="0" y="6" rx="2" fill="{accent}"/>'
        f'<text class="key" x="14" y="25">{xml_text(_cut(node.key, 18))}</text>'
        f'<text class="line" x="{_WIDTH - 12}" y="25" text-anchor="end">{xml_text(name)}</text>'
        f'<text class="line" x="14" y="45">{xml_text(_cut(headline(node)))}</text></g>'
    )


def _edge(edge: Edge, boxes: dict[str, _Box]) -> str:
    start, end = boxes[edge.source], boxes[edge.target]
    # A frame's openings are at its head, where a node's are: its body may be long.
    x1, y1 = start.x + start.width, start.y + _HEIGHT / 2
    x2, y2 = end.x, end.y + _HEIGHT / 2
    bend = max(48.0, abs(x2 - x1) / 2)
    branch = edge.target_port == WHEN
    path = (
        f'<path class="edge{" branch" if branch else ""}" '
        f'd="M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}"/>'
    )
    return path + (_chip(edge.source_port, (x1 + x2) / 2, (y1 + y2) / 2) if branch else "")


def _chip(text: str, x: float, y: float) -> str:
    shown = _cut(text, 14)
    width = 7 * len(shown) + 14
    return (
        f'<rect class="chip" x="{x - width / 2:g}" y="{y - 9:g}" width="{width}" height="18" '
        f'rx="9"/><text class="chip-text" x="{x:g}" y="{y + 4:g}">{xml_text(shown)}</text>'
    )


def _empty(title: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="psl-flow" role="img" '
        f'aria-label="{xml_text(title or "flow")}" width="420" height="72" viewBox="0 0 420 72">'
        f"<style>{_STYLE}</style>"
        '<rect class="card" x="1" y="1" width="418" height="70" rx="6" stroke-dasharray="5 4"/>'
        '<text class="line" x="210" y="40" text-anchor="middle">'
        "An empty flow. Add a node in code, or call .edit() to draw it.</text></svg>"
    )
