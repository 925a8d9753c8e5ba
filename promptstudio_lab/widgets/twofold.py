"""A picture first, then the widget: who opens the notebook without a kernel sees the picture.

JupyterLab shows a widget without its kernel as "Loading widget…", whatever else its output holds.
So the picture is an output of its own, and style sheets hide it while the widget is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows.draw import page

if TYPE_CHECKING:
    from collections.abc import Mapping

WAITING = "psl-until-live"


def show(live: Mapping[str, Any], picture: str, title: str) -> None:  # MIME types, and their data
    """Put out a widget in a cell, behind a picture of the same.

    Args:
        live: the widget as a notebook takes it, by MIME type.
        picture: SVG.
        title: what it is a picture of, for readers who cannot see it.
    """
    from IPython.display import display

    still = {
        "text/html": f'<div class="{WAITING}">{page(picture, title)}</div>',
        "image/svg+xml": picture,
        "text/plain": live.get("text/plain", title),
    }
    display(still, raw=True)
    display(dict(live), raw=True)
