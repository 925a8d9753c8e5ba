"""The facts that validation needs, gathered from the warehouse and the installed providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.engine.reach.approval import approved
from promptstudio_lab.errors import NotFound, PromptStudioError, TemplateError
from promptstudio_lab.flows import store as flow_store
from promptstudio_lab.flows.facts import Facts, Price, code_hash
from promptstudio_lab.flows.shape import signature
from promptstudio_lab.providers import prices, providers
from promptstudio_lab.settings import clearance, personal
from promptstudio_lab.templates import store as template_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.nodes import Signature
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

    Configs = Iterable[Mapping[str, Json]]


class Gathering:
    """What some nodes refer to, looked up once each; nothing else is asked for.

    Args:
        lab_id: the lab whose templates and flows are meant.
        default_model: the model of nodes that name none.
        configs: the nodes' configs.
    """

    def __init__(self, lab_id: str, default_model: str, configs: Configs) -> None:
        """Note what is referred to; nothing is looked up yet."""
        self._lab_id, self._default_model = lab_id, default_model
        configs = list(configs)
        self._templates = _templates(configs)
        self._flows = _flows(configs)
        self._models = _models(configs) | {default_model}
        self._sources = _texts(configs, "source")
        self._connections = _texts(configs, "connection")
        self._signatures: dict[str, Signature | None] = {}
        self._reaches: dict[str, frozenset[str]] = {}

    @property
    def asks_warehouse(self) -> bool:
        """Tell whether anything that is referred to lies in the warehouse."""
        return bool(self._templates or self._flows)

    def facts(self, session: Session | None) -> Facts:
        """Return the facts.

        Args:
            session: a unit of work; None where nothing lies in the warehouse.
        """
        texts = {name: self._text(session, name) for name in self._templates} if session else {}
        for reference in self._flows if session else ():
            self._follow(session, reference, ())
        return Facts(
            templates=texts,
            providers=frozenset(providers),
            default_model=self._default_model,
            flows=self._signatures,
            prices={model: _price(model) for model in sorted(self._models)},
            credentials=_credentials(self._models),
            reaches=self._reaches,
            connections=_connections(self._connections),
            approved=frozenset(map(code_hash, filter(approved, self._sources))),
            clearances={name: clearance(name) for name in _providers(self._models)},
        )

    def _text(self, session: Session, reference: str) -> str | None:
        try:
            return template_store.load(session, self._lab_id, reference).text
        except (NotFound, TemplateError):
            return None

    def _follow(
        self, session: Session | None, reference: str, above: tuple[str, ...]
    ) -> frozenset[str]:
        """Look a flow up, and those that it runs; one that runs itself is followed once."""
        if reference in self._reaches or reference in above or session is None:
            return self._reaches.get(reference, frozenset())
        found = self._named(session, reference)
        if found is None:
            self._signatures[reference], self._reaches[reference] = None, frozenset()
            return frozenset()
        flow_id, graph = found
        reached = {flow_id}
        for inner in _flows(node.config for node in graph.nodes):
            reached |= self._follow(session, inner, (*above, reference))
        self._reaches[reference] = frozenset(reached)
        self._signatures[reference] = signature(graph, Facts(flows=self._signatures))
        return self._reaches[reference]

    def _named(self, session: Session, reference: str) -> tuple[str, Graph] | None:
        try:
            found = flow_store.version_named(session, self._lab_id, reference)
        except PromptStudioError:
            return None
        return (found[0], found[1].graph) if found else None


def _templates(configs: Configs) -> list[str]:
    prompts = [config.get("prompt") for config in configs]
    return sorted({str(one["ref"]) for one in prompts if isinstance(one, dict) and "ref" in one})


def _flows(configs: Configs) -> list[str]:
    found = [config.get("flow") for config in configs]
    return sorted({reference for reference in found if isinstance(reference, str)})


def _texts(configs: Configs, name: str) -> list[str]:
    found = [config.get(name) for config in configs]
    return sorted({text for text in found if isinstance(text, str)})


def _connections(wanted: list[str]) -> dict[str, bool]:
    """Return those of the user's own connections that are asked for: a flow only reads them."""
    listed = personal("connections") if wanted else None
    return {name: True for name in wanted if isinstance(listed, dict) and name in listed}


def _models(configs: Configs) -> set[str]:
    found: set[str] = set()
    for config in configs:
        others = config.get("fallback")
        named = [config.get("model"), *(others if isinstance(others, list) else [])]
        found |= {model for model in named if isinstance(model, str) and model}
    return found


def _price(model: str) -> Price | None:
    provider, _, name = model.partition(":")
    asked = prices.per_token(provider, name)
    return Price(*asked) if asked else None


def _providers(models: set[str]) -> list[str]:
    return sorted({model.partition(":")[0] for model in models})


def _credentials(models: set[str]) -> dict[str, bool]:
    """Return by provider whether it has the key that it needs, where it can tell."""
    tell = {name: getattr(providers.get(name), "ready", None) for name in _providers(models)}
    return {name: bool(ready()) for name, ready in tell.items() if ready is not None}
