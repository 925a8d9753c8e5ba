"""`promptstudio doctor`: which warehouse, and why, and what it stands on."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from promptstudio_lab.lab import connect
from promptstudio_lab.providers import providers
from promptstudio_lab.warehouse.engines.sqlite import engine_version

if TYPE_CHECKING:
    import argparse

_PACKAGES = ("jupyterlab", "polars", "sqlalchemy", "openai", "anywidget")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--warehouse", help="look at this one: a path, a URL, or `memory`")


def run(chosen: argparse.Namespace) -> int:
    """Say what a person needs to know when two processes do not see the same things."""
    lab = connect(chosen.warehouse)
    lines = {
        "promptstudio-lab": version("promptstudio-lab"),
        "python": platform.python_version(),
        "warehouse": f"{lab.warehouse.url} (id {lab.warehouse.id})",
        "chosen by": lab.choice.why,
        "engine": _engine(lab.warehouse.dialect),
        "lab": lab.name,
        "you": f"{lab.actor.name} ({lab.actor.kind})",
        "default model": lab.environment.default_model,
        "providers": ", ".join(providers),
        **{name: version(name) for name in _PACKAGES},
    }
    width = max(map(len, lines))
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in lines.items())
    return 0


def _engine(dialect: str) -> str:
    if dialect != "sqlite":
        return dialect
    return f"{engine_version()}, write-ahead log, full synchronous; the file is the boundary"
