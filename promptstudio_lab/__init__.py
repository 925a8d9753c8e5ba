"""PromptStudio Lab: build LLM flows in a notebook, compare variants, and know how surely.

>>> import promptstudio_lab as ps
>>> lab = ps.connect("memory")
>>> lab.name
'default'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptstudio_lab.analytics.alerts import Alert
    from promptstudio_lab.engine.limits import limit
    from promptstudio_lab.engine.reach.approval import approve_refused as approve_code
    from promptstudio_lab.errors import PromptStudioError
    from promptstudio_lab.experiments.frames import analyze_frame as analyze
    from promptstudio_lab.experiments.plan.looks import Schedule
    from promptstudio_lab.flows.variants import grid
    from promptstudio_lab.lab import Lab, connect
    from promptstudio_lab.metrics import Mean, Quantile, Rate, RatioOfSums
    from promptstudio_lab.money import usd
    from promptstudio_lab.scorers.exact import Exact as exact  # noqa: N813 — a verb in notebooks
    from promptstudio_lab.stats.bayes.effect import Prior

__all__ = [
    "Alert",
    "Lab",
    "Mean",
    "Prior",
    "PromptStudioError",
    "Quantile",
    "Rate",
    "RatioOfSums",
    "Schedule",
    "__version__",
    "analyze",
    "approve_code",
    "connect",
    "exact",
    "grid",
    "limit",
    "usd",
]

# Where each public name lives; a notebook pays only for what it uses.
_HOMES = {
    "Alert": ("promptstudio_lab.analytics.alerts", "Alert"),
    "Lab": ("promptstudio_lab.lab", "Lab"),
    "Mean": ("promptstudio_lab.metrics", "Mean"),
    "Prior": ("promptstudio_lab.stats.bayes.effect", "Prior"),
    "PromptStudioError": ("promptstudio_lab.errors", "PromptStudioError"),
    "Quantile": ("promptstudio_lab.metrics", "Quantile"),
    "Rate": ("promptstudio_lab.metrics", "Rate"),
    "RatioOfSums": ("promptstudio_lab.metrics", "RatioOfSums"),
    "Schedule": ("promptstudio_lab.experiments.plan.looks", "Schedule"),
    "analyze": ("promptstudio_lab.experiments.frames", "analyze_frame"),
    "approve_code": ("promptstudio_lab.engine.reach.approval", "approve_refused"),
    "connect": ("promptstudio_lab.lab", "connect"),
    "exact": ("promptstudio_lab.scorers.exact", "Exact"),
    "grid": ("promptstudio_lab.flows.variants", "grid"),
    "limit": ("promptstudio_lab.engine.limits", "limit"),
    "usd": ("promptstudio_lab.money", "usd"),
}


def __getattr__(name: str) -> Any:  # each name has its own type
    if name == "__version__":
        from importlib.metadata import version

        return version("promptstudio-lab")
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:  # IPython ships no types
    """Give a notebook the cells `%%sql` and `%%prompt`: `%load_ext promptstudio_lab`."""
    import_module("promptstudio_lab.widgets.magics").register(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "@promptstudio/lab"}]
