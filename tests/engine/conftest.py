"""A provider and a node kind that do what a test tells them."""

from __future__ import annotations

import pytest

from promptstudio_lab import providers as provider_package
from promptstudio_lab.nodes import kinds
from promptstudio_lab.providers import prices, providers
from tests.engine.parts import Scripted


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Register a provider called `scripted` for the length of a test."""
    provider = Scripted()
    assert "simulated" in providers
    monkeypatch.setitem(providers._found, "scripted", lambda: provider)
    monkeypatch.setitem(provider_package._made, "scripted", provider)
    return provider


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the scripted provider the simulated prices."""
    charged = prices.price
    reserved = prices.worst_case
    monkeypatch.setattr(
        "promptstudio_lab.engine.call.price",
        lambda provider, reply, at: charged(_known(provider), reply, at),
    )
    monkeypatch.setattr(
        "promptstudio_lab.engine.call.worst_case",
        lambda provider, request: reserved(_known(provider), request),
    )


def _known(provider: str) -> str:
    return "simulated" if provider == "scripted" else provider


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the node kind `probe` for the length of a test."""
    from tests.engine.probe import Probe

    assert "input" in kinds
    monkeypatch.setitem(kinds._found, "probe", Probe())
