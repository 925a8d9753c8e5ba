"""What a box of a flow can be: one file a kind."""

from __future__ import annotations

from promptstudio_lab.nodes.kind import Context, Kind, Known, Signature, Waiting, kinds
from promptstudio_lab.nodes.ports import Port, Ports, mismatch

__all__ = [
    "Context",
    "Kind",
    "Known",
    "Port",
    "Ports",
    "Signature",
    "Waiting",
    "kinds",
    "mismatch",
]
