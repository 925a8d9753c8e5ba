"""Progress of long work: how far, how fast, what it has cost, how long it will take."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any

from promptstudio_lab.lab.faces import faces
from promptstudio_lab.money import format_usd

if TYPE_CHECKING:
    from promptstudio_lab.engine.batch import Progress
    from promptstudio_lab.lab.faces import Bar

_MINUTE = 60


@faces.register("progress")
def progress_bar(title: str, progress: Progress) -> Bar:
    """Return a bar that fits the place: a widget in a notebook, a line in a terminal."""
    return NotebookBar(title, progress) if _in_notebook() else TerminalBar(title, progress)


class NotebookBar:
    """A bar in a cell, with a button that stops; in the end one plain line stays."""

    def __init__(self, title: str, progress: Progress) -> None:
        """Show the bar."""
        import ipywidgets
        from IPython.display import display

        self._title, self._begun = title, time.monotonic()
        self._bar = ipywidgets.IntProgress(max=progress.total, layout={"width": "320px"})
        self._text = ipywidgets.Label()
        stop = ipywidgets.Button(description="Stop", icon="stop", layout={"width": "80px"})
        stop.on_click(lambda _: setattr(progress, "stop", True))
        box = ipywidgets.HBox([self._bar, self._text, stop])
        self._display: Any = display(box, display_id=True)  # IPython's handle has no type

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        self._bar.value = progress.done
        self._text.value = f"{self._title} · {line(progress, time.monotonic() - self._begun)}"

    def close(self, progress: Progress) -> None:
        """Replace the bar by its last line, which also stays in a saved notebook."""
        from IPython.display import HTML

        text = f"{self._title} · {line(progress, time.monotonic() - self._begun)}"
        self._display.update(HTML(f'<div style="font-size:13px">{escape(text)}</div>'))


class TerminalBar:
    """A bar in a terminal."""

    def __init__(self, title: str, progress: Progress) -> None:
        """Show the bar."""
        from tqdm import tqdm

        self._bar = tqdm(
            total=progress.total,
            desc=title,
            unit=" runs",
            file=sys.stderr,
            disable=None,  # a log file gets the result and not the way to it
            bar_format="{desc}  {bar:24} {n_fmt}/{total_fmt} · {rate_fmt} · {remaining}{postfix}",
        )
        self.show(progress)

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        self._bar.set_postfix_str(f" · {_cost(progress)}", refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def close(self, progress: Progress) -> None:
        """Leave the last line standing."""
        self.show(progress)
        self._bar.close()


def line(progress: Progress, elapsed_s: float) -> str:
    """Return progress as a person reads it.

    >>> from promptstudio_lab.engine.batch import Progress
    >>> line(Progress(total=100, done=50, cost=2_000_000), 10)
    '50 of 100 · 5.0 a second · $0.00200 · 10 s left'
    """
    rate = progress.done / elapsed_s if elapsed_s > 0 else 0.0
    parts = [f"{progress.done:,} of {progress.total:,}", f"{rate:,.1f} a second", _cost(progress)]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.done >= progress.total:
        parts.append(f"{_duration(elapsed_s)} in all")
    elif rate:
        parts.append(f"{_duration((progress.total - progress.done) / rate)} left")
    return " · ".join(parts)


def _cost(progress: Progress) -> str:
    unknown = f" + {progress.unpriced:,} of unknown price" if progress.unpriced else ""
    return format_usd(progress.cost) + unknown


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < _MINUTE else f"{whole // _MINUTE} min {whole % _MINUTE} s"


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    return type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
