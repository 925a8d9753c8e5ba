"""What validation may know about the world, gathered beforehand and frozen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptstudio_lab import rendering
from promptstudio_lab.errors import TemplateSyntaxError
from promptstudio_lab.nodes.kind import Signature
from promptstudio_lab.settings import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Price:
    """What a model asks for a token, in nano-dollars.

    Attributes:
        input_nano_usd: for a token that it reads.
        output_nano_usd: for a token that it writes.
    """

    input_nano_usd: float
    output_nano_usd: float


@dataclass(frozen=True)
class Facts:
    """The environment of a flow. What is not known is left out, and no rule speaks of it.

    Attributes:
        templates: the text of each referenced template version, by reference as it is written;
            None when there is no such template.
        providers: the names of the providers that are installed.
        default_model: the model of nodes that name none.
        flows: what each flow that is referred to takes and gives, by reference as it is written;
            None when there is no such flow.
        prices: what models ask, as `provider:model`; None for a model without a known price.
        credentials: by provider, whether the key that it needs is there.
        flow_id: the flow itself, when it is kept.
        reaches: by reference, the ids of the flows that run when that one does, itself included.
        connections: by name, whether a connection can only read; None when nobody looked.
        approved: the hashes of the code that the user has approved; None when nobody looked.
        classification: how closely the flow's data is kept, one of `CLASSES`.
        clearances: by provider, the closest kept data that it may be sent.

    >>> Facts(providers=frozenset({"simulated"})).variables({"text": "{{ a.b }}"})
    ('a',)
    """

    templates: Mapping[str, str | None] = field(default_factory=dict)
    providers: frozenset[str] = frozenset()
    default_model: str = "simulated:small"
    flows: Mapping[str, Signature | None] = field(default_factory=dict)
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    credentials: Mapping[str, bool] = field(default_factory=dict)
    flow_id: str | None = None
    reaches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    connections: Mapping[str, bool] | None = None
    approved: frozenset[str] | None = None
    classification: str = CLASSES[0]
    clearances: Mapping[str, str] = field(default_factory=dict)

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


def code_hash(source: str) -> str:
    """Return what a user approves when approving code: any other text has another hash.

    >>> code_hash("return 1") == code_hash("return 2")
    False
    """
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
