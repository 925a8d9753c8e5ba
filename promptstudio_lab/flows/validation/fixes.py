"""What a click on a problem does: its fix as the edits that any face may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.ids import new_id

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.values import Json

_SETTINGS = ("set_setting", "remove_setting")
_POLICIES = ("set_policy", "remove_policy")


def operations_of(fix: dict[str, Json], graph: Graph) -> list[dict[str, Json]]:
    """Return the operations that mend a problem; empty for what a person must do.

    Args:
        fix: as a problem has it.
        graph: the flow.

    >>> from promptstudio_lab.flows.graph import Graph, Node
    >>> flow = Graph((Node("1", "ask", "input", {"tpye": "text"}),))
    >>> operations_of({"do": "remove_setting", "node": "1", "setting": "tpye"}, flow)
    [{'type': 'configure', 'node': '1', 'config': {}}]
    """
    do = str(fix["do"])
    named = {name: value for name, value in fix.items() if name != "do"}
    plain: dict[str, dict[str, Json]] = {
        "disconnect": {"type": "remove", "edges": [fix.get("edge")]},
        "remove": {"type": "remove", "nodes": [fix.get("node")]},
        "rename": {"type": "rename", **named},
        "add": {"type": "add", "node": new_id(), **named},
        "connect": {"type": "connect", "edge": new_id(), "source_path": "", **named},
    }
    if do in plain:
        return [plain[do]]
    return _redirected(fix, graph) if do == "redirect" else _configured(fix, graph)


def _redirected(fix: dict[str, Json], graph: Graph) -> list[dict[str, Json]]:
    edge = next((edge for edge in graph.edges if edge.id == fix["edge"]), None)
    if edge is None:
        return []
    ends = {
        "source": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target": edge.target,
        "target_port": edge.target_port,
    }
    named = {name: value for name, value in fix.items() if name in ends}
    return [
        {"type": "remove", "edges": [edge.id]},
        {"type": "connect", "edge": new_id(), **ends, **named},
    ]


def _configured(fix: dict[str, Json], graph: Graph) -> list[dict[str, Json]]:
    node = graph.by_id.get(str(fix.get("node")))
    if node is None or fix["do"] not in (*_SETTINGS, *_POLICIES):
        return []
    field, name = ("config", "setting") if fix["do"] in _SETTINGS else ("policy", "policy")
    values = dict(node.config if field == "config" else node.policy)
    values.pop(fix[name], None)
    if "value" in fix:
        values[fix[name]] = fix["value"]
    return [{"type": "configure", "node": node.id, field: values}]
