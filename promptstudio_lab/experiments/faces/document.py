"""A page of our own around a report: it stands alone, in a mail or an archive, light or dark."""

from __future__ import annotations

from html import escape
from pathlib import Path

from promptstudio_lab.experiments.wording import visible

# JupyterLab's names for colours, so that one report fits both; no script, no address, no network.
_LIGHT = {
    "layout-color0": "#ffffff",
    "layout-color2": "#f3f4f6",
    "border-color2": "#d9dde3",
    "ui-font-color0": "#0b1220",
    "ui-font-color1": "#1f2733",
    "ui-font-color2": "#5b6675",
    "success-color1": "#1b7f4b",
    "error-color1": "#c02f2f",
    "warn-color1": "#b35c00",
    "brand-color1": "#1f5fbf",
}
_DARK = {
    "layout-color0": "#11151b",
    "layout-color2": "#1b222b",
    "border-color2": "#323b47",
    "ui-font-color0": "#ffffff",
    "ui-font-color1": "#e3e8ef",
    "ui-font-color2": "#9aa6b5",
    "success-color1": "#4cc38a",
    "error-color1": "#f2726f",
    "warn-color1": "#f0a04b",
    "brand-color1": "#6ea8fe",
}


def _named(colours: dict[str, str]) -> str:
    return "".join(f"--jp-{name}:{value};" for name, value in colours.items())


_STYLE = (
    f":root{{color-scheme:light dark;{_named(_LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_named(_DARK)}}}}}"
    "body{margin:0;padding:32px 24px;background:var(--jp-layout-color0);"
    "color:var(--jp-ui-font-color1)}"
    "main{max-width:860px;margin:0 auto}"
    # The numbers beside the forest stand in the table below it: a narrow page needs them once.
    "@media (max-width:700px){body{padding:20px 12px}.psl-report-forest{overflow:hidden}"
    ".psl-report-forest svg{width:152%!important;max-width:none!important}"
    ".psl-report-head{flex-wrap:wrap}.psl-report .psl-report-table{font-size:12px}"
    ".psl-report .psl-report-table :is(th,td){padding:4px 5px!important;min-width:0!important}"
    ".psl-report .psl-report-table td:has(>span){white-space:normal!important}"
    ".psl-report-table td>span{white-space:nowrap}}"
    "@media print{body{padding:0}figure{break-inside:avoid}}"
)


def document(title: str, inside: str, path: str | Path | None = None) -> str:
    """Return a whole page, and write it where a path is given.

    Args:
        title: what the window is called, as text.
        inside: HTML of this package's own.
        path: the file to write.
    """
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Whatever a name may hold: nothing is loaded, and nothing runs.
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(visible(title))}</title><style>{_STYLE}</style></head>"
        f"<body><main>{inside}</main></body></html>\n"
    )
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return page
