"""The editor of a flow in a cell: what `flow.edit()` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.lab.faces import faces

if TYPE_CHECKING:
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.widgets.canvas import FlowEditor


@faces.register("edit")
def edit(flow: Flow) -> FlowEditor:
    """Return the editor of a flow.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("greet")
    >>> name = f.input("name")
    >>> f.edit()
    <FlowEditor of 'greet': 1 nodes, 0 edges>
    """
    # Loading anywidget takes longer than most faces need to appear.
    from promptstudio_lab.widgets.canvas import FlowEditor

    return FlowEditor(flow)
