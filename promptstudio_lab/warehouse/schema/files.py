"""Where the SQL lies: inside the installed package, or in the repository beside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]


def folder(name: str) -> Path:
    """Return a folder of SQL or revisions, wherever this installation keeps it.

    A wheel carries `sql/` inside the package; an editable install has it beside the package.
    """
    if name == "revisions":
        return Path(__file__).resolve().parent / "revisions"
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def statements(file: Path) -> list[str]:
    """Return the statements of a SQL file.

    A statement ends with `;` at the end of a line, but not within the `$$ … $$` of a function.
    """
    found: list[str] = []
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("--") or not (line.strip() or lines):
            continue
        lines.append(line)
        text = "\n".join(lines)
        if line.endswith(";") and text.count("$$") % 2 == 0:
            found.append(text.removesuffix(";"))
            lines = []
    return [*found, "\n".join(lines)] if lines else found
