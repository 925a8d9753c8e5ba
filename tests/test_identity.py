from __future__ import annotations

import getpass
from dataclasses import FrozenInstanceError

import pytest

from promptstudio_lab.identity import Actor, login


def test_the_hub_knows_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert login() == "ada"
    monkeypatch.setenv("JUPYTERHUB_USER", "")
    monkeypatch.setattr(getpass, "getuser", lambda: "ben")
    assert login() == "ben"


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_a_number_without_a_name_is_somebody_too(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert login() == "unknown"


def test_an_actor_does_not_change() -> None:
    actor = Actor("a", "Ada", "user", "o")
    with pytest.raises(FrozenInstanceError):
        actor.id = "b"  # type: ignore[misc]  # the mistake itself
    assert actor == Actor("a", "Ada", "user", "o")
