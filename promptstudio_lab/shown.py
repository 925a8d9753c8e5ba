"""How the objects of a notebook show themselves: literal text, and one plain card of HTML.

No scripts, and no text of a person or a model that is not escaped. Colours come from JupyterLab's
theme, with fallbacks for a plain page.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from promptstudio_lab.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST = 2_000
MOST = 20
_MONEY = "_nano_usd"
_LAYOUT = frozenset("\n\t")
_ASTRAL = 0x10000
_FILLERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
)  # letters that draw nothing
# Prices between dollar signs are not formulas, whatever JupyterLab's typesetter thinks.
_CLASSES = "psl-card tex2jax_ignore mathjax_ignore"
_STYLE = """
.psl-card{font-size:13px;color:var(--jp-ui-font-color1,#212121);overflow-wrap:anywhere}
.psl-card dl{margin:8px 0;display:grid;grid-template-columns:max-content 1fr;gap:4px 16px}
.psl-card dt{color:var(--jp-ui-font-color2,#616161);float:none;width:auto;max-width:24ch;
  overflow-wrap:break-word}
.psl-card dd{margin:0;white-space:pre-wrap;font-variant-numeric:tabular-nums}
.psl-card pre{margin:8px 0;white-space:pre-wrap;font-size:13px;
  font-family:var(--jp-code-font-family,monospace);color:inherit}
.psl-card table{font-size:11px;font-variant-numeric:tabular-nums;border-collapse:collapse}
.psl-card th,.psl-card td{padding:2px 16px 2px 0;text-align:left;border:0;white-space:pre-wrap}
.psl-card .psl-card-number{text-align:right}
.psl-card .psl-card-tag{border:1px dashed currentColor;border-radius:8px;padding:0 8px;
  font-size:11px}
.psl-card .psl-card-changes{font-family:var(--jp-code-font-family,monospace);margin:8px 0}
.psl-card .psl-card-changes>div{padding:0 8px;white-space:pre-wrap;
  border-left:3px solid transparent}
.psl-card .psl-card-changes>.psl-card-plus{border-color:var(--jp-success-color1,#2e7d32);
  background:color-mix(in srgb,var(--jp-success-color1,#2e7d32) 12%,transparent)}
.psl-card .psl-card-changes>.psl-card-minus{border-color:var(--jp-error-color1,#c62828);
  background:color-mix(in srgb,var(--jp-error-color1,#c62828) 12%,transparent)}
.psl-card .psl-card-bad{color:var(--jp-error-color1,#c62828);white-space:pre-wrap}
"""


def printable(text: str) -> str:
    r"""Show hidden, control and direction characters, so that text is only ever text.

    >>> print(printable("a\u202eb\x00"))
    a\u202eb\u0000
    """
    return "".join(
        letter
        if letter in _LAYOUT or (letter.isprintable() and letter not in _FILLERS)
        else _named(ord(letter))
        for letter in text
    )


def _named(point: int) -> str:
    return f"\\u{point:04x}" if point < _ASTRAL else f"\\U{point:08x}"


def literal(text: str) -> str:
    """Return text as HTML that shows that very text.

    >>> literal("<b>")
    '&lt;b&gt;'
    """
    return escape(printable(text))


def cut(text: str, longest: int = LONGEST) -> str:
    """Return the beginning of a long text, and say how long it is.

    >>> cut("abcdef", 3)
    'abc… (6 characters)'
    """
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def card(title: str, *parts: str, tag: str = "") -> str:
    """Return a card of HTML.

    Args:
        title: its first line, as text.
        parts: HTML that `facts`, `table`, `block` and `failure` have made.
        tag: a word beside the title, such as `simulated`.

    >>> "&lt;b&gt;" in card("<b>")
    True
    """
    mark = f' <span class="psl-card-tag">{literal(tag)}</span>' if tag else ""
    head = f"<p><b>{literal(title)}</b>{mark}</p>"
    return f'<div class="{_CLASSES}"><style>{_STYLE}</style>{head}{"".join(parts)}</div>'


def facts(named: Mapping[str, str]) -> str:
    """Return names and what they stand for; long texts are cut.

    >>> facts({})
    ''
    """
    rows = "".join(
        f"<dt>{literal(name)}</dt><dd>{literal(cut(text))}</dd>" for name, text in named.items()
    )
    return f"<dl>{rows}</dl>" if rows else ""


def block(text: str) -> str:
    """Return text in the code font, every line as it is; a long one is cut."""
    return f"<pre>{literal(cut(text))}</pre>"


def changes(lines: Iterable[str]) -> str:
    """Return lines that begin with `+`, `-` or `~` in the colours of what they say.

    >>> "psl-card-plus" in changes(["+ new"])
    True
    """
    marks = {"+": "plus", "-": "minus"}

    def row(line: str) -> str:
        mark = marks.get(line[:1], "even")
        return f'<div class="psl-card-{mark}">{literal(cut(line)) or "&nbsp;"}</div>'

    rows = "".join(map(row, lines))
    return f'<div class="psl-card-changes">{rows}</div>'


def failure(text: str | None) -> str:
    """Return what went wrong; nothing if nothing has."""
    return f'<p class="psl-card-bad">{literal(cut(text))}</p>' if text else ""


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[str] = frozenset()
) -> str:
    """Return a table; the columns named in `numbers` are aligned at their right."""
    marks = ['class="psl-card-number"' if head in numbers else "" for head in heads]

    def cells(kind: str, texts: Sequence[str]) -> str:
        filled = zip(marks, texts, strict=True)
        return "".join(f"<{kind} {mark}>{literal(cut(text))}</{kind}>" for mark, text in filled)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def more(count: int, where: str = "") -> str:
    """Return the line below a table that shows the first `MOST` of `count` rows.

    >>> more(20), more(21)
    ('', '<p>… 1 more</p>')
    """
    rest = count - MOST
    return f"<p>… {rest:,} more{f' in {literal(where)}' if where else ''}</p>" if rest > 0 else ""


def named_html(self: Any) -> str:  # whichever record
    """Return a record as HTML, each field with its name: a record says `_repr_html_ = named_html`.

    >>> from promptstudio_lab.identity import Actor
    >>> "&lt;b&gt;" in named_html(Actor("1", "<b>", "user", "2"))
    True
    """
    names = [field.name for field in fields(self)] if is_dataclass(self) else list(self._fields)
    shown = {
        name.removesuffix(_MONEY).replace("_", " "): _told(name, getattr(self, name))
        for name in names
        if not name.startswith("_")
    }
    return card(type(self).__name__, facts(shown))


def offered_html(self: object) -> str:
    """Return what an object can be asked as HTML: its methods, and what each gives."""
    return card(type(self).__name__, table(("ask", "and get"), offered(self)))


def offered(thing: object) -> list[tuple[str, str]]:
    """Return the public methods of an object, each with the first line of its documentation.

    >>> class Greeter:
    ...     def hello(self):
    ...         "Return a greeting."
    >>> offered(Greeter())
    [('.hello()', 'Return a greeting.')]
    """
    return [
        (f".{name}()", (member.__doc__ or "").strip().partition("\n")[0])
        for owner in type(thing).__mro__
        for name, member in vars(owner).items()
        if callable(member) and not name.startswith("_")
    ]


def _told(name: str, value: object) -> str:
    if name.endswith(_MONEY):
        return format_usd(value if isinstance(value, int) else None)
    if isinstance(value, dict):
        return _lines([f"{key}: {inner}" for key, inner in value.items()])
    if isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        return _lines([str(inner) for inner in value])
    return _plain(value) or "none"


def _plain(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
    return str(value)


def _lines(lines: list[str]) -> str:
    rest = [f"… {len(lines) - MOST:,} more"] if len(lines) > MOST else []
    return "\n".join([*lines[:MOST], *rest]) or "none"
