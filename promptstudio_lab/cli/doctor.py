"""`promptstudio doctor`: which warehouse, and why, what it stands on, and what it risks."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from promptstudio_lab.lab import connect
from promptstudio_lab.providers import providers
from promptstudio_lab.warehouse.health import examine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from promptstudio_lab.warehouse.health import Risk

_PACKAGES = ("jupyterlab", "polars", "sqlalchemy", "openai", "anywidget")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--warehouse", help="look at this one: a path, a URL, or `memory`")


def run(chosen: argparse.Namespace) -> int:
    """Say what a person needs to know when two processes do not see the same things."""
    lab = connect(chosen.warehouse)
    health = examine(lab.warehouse, lab.actor)
    lines = {
        "promptstudio-lab": version("promptstudio-lab"),
        "python": platform.python_version(),
        "warehouse": f"{lab.warehouse.url} (id {lab.warehouse.id})",
        "chosen by": lab.choice.why,
        **health.facts,
        "lab": lab.name,
        "you": f"{lab.actor.name} ({lab.actor.kind}, {lab.actor.role})",
        "default model": lab.environment.default_model,
        "providers": ", ".join(providers),
        **{name: version(name) for name in _PACKAGES},
    }
    width = max(map(len, lines))
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in lines.items())
    sys.stdout.write(_told(health.risks))
    return 0


def _told(risks: Sequence[Risk]) -> str:
    if not risks:
        return "\nNo risk was found.\n"
    lines = [
        f"  {number}. {risk.what}.\n     {risk.remedy}\n" for number, risk in enumerate(risks, 1)
    ]
    return f"\nRisks, each with its remedy:\n{''.join(lines)}"
