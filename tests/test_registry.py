from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROUP = "psl_test.things"
HEAD = """
import sys
registry = sys.modules["psl_test_home"].registry
"""


class Home(ModuleType):
    """Stands for the module of ours that a plug-in imports its registry from."""

    registry: Registry[object]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Home:
    found = Home("psl_test_home")
    found.registry = Registry(GROUP, "thing")
    monkeypatch.setitem(sys.modules, found.__name__, found)
    return found


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs a package with entry points, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def package(name: str, **modules: str) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{entry} = {name}_{entry}" for entry in modules]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")
        for entry, source in modules.items():
            (tmp_path / f"{name}_{entry}.py").write_text(HEAD + source)

    return package


def registers(*names: str) -> str:
    return "\n".join(f"registry.register({name!r})({name!r} + ' made')" for name in names)


def test_things_come_in_by_entry_points(home: Home, install: Callable[..., None]) -> None:
    install("psl_one", a=registers("a"))
    install("psl_two", b=registers("b", "c"))
    assert "psl_one_a" not in sys.modules
    assert sorted(home.registry) == ["a", "b", "c"]
    assert home.registry["c"] == "c made"
    assert dict(home.registry.items())["a"] == "a made"
    assert "b" in home.registry
    assert "d" not in home.registry


def test_things_come_in_by_decorator(home: Home) -> None:
    @home.registry.register("double")
    def double() -> None: ...

    assert home.registry["double"] is double
    assert home.registry.register("double")(double) is double


def test_unknown_name_gets_a_hint(home: Home, install: Callable[..., None]) -> None:
    install("psl_hint", a=registers("simulated"))
    with pytest.raises(PromptStudioError, match=r"no thing 'simulatd'.*did you mean 'simulated'"):
        home.registry["simulatd"]


def test_two_of_a_name_are_refused(home: Home) -> None:
    home.registry.register("same")("one")
    with pytest.raises(PromptStudioError, match="two things are called 'same'"):
        home.registry.register("same")("other")
    assert home.registry["same"] == "one"


BROKEN = {
    "missing": "import psl_no_such_module",
    "syntax": "def broken(:",
    "error": "raise ValueError('not today')",
    "taken": "registry.register('fine')('other')",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_plugin_is_named_and_takes_nobody_along(
    home: Home, install: Callable[..., None], kind: str
) -> None:
    home.registry.register("fine")("fine made")
    install(f"psl_{kind}", bad=BROKEN[kind], good=registers("good"))
    install(f"psl_{kind}_more", other=registers("other"))
    assert sorted(home.registry) == ["fine", "good", "other"]
    assert home.registry["fine"] == "fine made"
    with pytest.raises(PromptStudioError, match="the thing 'bad' cannot be loaded: ") as caught:
        home.registry["bad"]
    assert caught.value.__cause__ is not None


def test_every_thread_sees_everything(home: Home, install: Callable[..., None]) -> None:
    slow = "import time; time.sleep(0.2)\n"
    install("psl_slow", a=slow + registers("slow"))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: "slow" in home.registry, range(4))) == [True] * 4


def test_plugin_may_ask_while_it_loads(home: Home, install: Callable[..., None]) -> None:
    install("psl_asks", a="assert 'later' not in registry\n" + registers("asked"))
    assert home.registry["asked"] == "asked made"
