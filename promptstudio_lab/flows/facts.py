"""What validation may know about the world, gathered beforehand and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptstudio_lab import rendering
from promptstudio_lab.errors import TemplateSyntaxError
from promptstudio_lab.nodes.kind import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


@dataclass(frozen=True)
class Facts:
    """The environment of a flow.

    Attributes:
        templates: the text of each referenced template version, by reference as it is written;
            None when there is no such template.
        providers: the names of the providers that are installed.
        default_model: the model of nodes that name none.
        flows: what each flow that is referred to takes and gives, by reference as it is written;
            None when there is no such flow.
    """

    templates: Mapping[str, str | None] = field(default_factory=dict)
    providers: frozenset[str] = frozenset()
    default_model: str = "simulated:small"
    flows: Mapping[str, Signature | None] = field(default_factory=dict)

    def text(self, prompt: Mapping[str, Json]) -> str | None:
        """Return the text of a prompt, inline or referenced."""
        if "ref" in prompt:
            return self.templates.get(str(prompt["ref"]))
        return str(prompt.get("text", ""))

    def variables(self, prompt: Mapping[str, Json]) -> tuple[str, ...] | None:
        """Return the variables of a prompt, or None when its text cannot be known."""
        text = self.text(prompt)
        if text is None:
            return None
        try:
            return rendering.variables(text)
        except TemplateSyntaxError:
            return None

    def flow(self, reference: str) -> Signature | None:
        """Return what another flow takes and gives, or None when it is not known."""
        return self.flows.get(reference)

    @property
    def body(self) -> Signature:
        """Return what a node takes and gives inside before anything lies in it: nothing."""
        return Signature()
