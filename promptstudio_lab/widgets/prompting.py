"""`%%prompt`: a cell's text becomes a template's version, is tried once, and shows what came."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from promptstudio_lab.errors import NotFound, PromptStudioError, did_you_mean
from promptstudio_lab.money import format_usd, to_usd
from promptstudio_lab.rendering import render, variables
from promptstudio_lab.shown import block, card, facts, failure, printable
from promptstudio_lab.values import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.running.results import Run
    from promptstudio_lab.lab.templates import Template
    from promptstudio_lab.values import Json

Namespace: TypeAlias = dict[str, Any]  # a notebook's variables hold anything

USAGE = "%%prompt library/name [--model provider:model] [--save] [--name variable] [variable=value]"
_OPTIONS = {"-m": "model", "--model": "model", "-n": "name", "--name": "name"}


@dataclass(frozen=True, repr=False)
class Tried:
    """A template, and what a model answered to it.

    Attributes:
        template: the version that was tried.
        new: whether this cell made that version.
        values: what its variables stood for.
        run: the run, which is kept like any other; None where the prompt was only saved.
    """

    template: Template
    new: bool
    values: dict[str, Json]
    run: Run | None

    @property
    def text(self) -> str:
        """Return the model's answer.

        Raises:
            PromptStudioError: if no model was asked, or the run failed.
        """
        return str(self._asked.outputs["text"])

    @property
    def tokens(self) -> tuple[int | None, int | None]:
        """Return how many tokens the model read and wrote; None for what it did not say."""
        return self._asked.input_tokens, self._asked.output_tokens

    @property
    def cost_usd(self) -> float | None:
        """Return what it cost in US dollars, or None where the price is unknown."""
        cost = self._asked.cost_nano_usd
        return None if cost is None else to_usd(cost)

    @property
    def latency_ms(self) -> float | None:
        """Return how long it took, in milliseconds; None while it goes on."""
        return self._asked.latency_ms

    @property
    def simulated(self) -> bool:
        """Return whether a stand-in answered, and not a language model."""
        return self.run is not None and self.run.simulated

    @property
    def _asked(self) -> Run:
        if self.run is None:
            message = "no model was asked; leave --save out to try the prompt"
            raise PromptStudioError(message)
        return self.run

    def __repr__(self) -> str:
        """Say the version, what was asked, what came and what it cost."""
        lines = [self._title(), *(f"{name}: {text}" for name, text in self._facts().items())]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        told = self._facts()
        failed = failure(told.pop("error", None))
        asked, answer = (block(told.pop(name)) for name in ("prompt", "answer") if name in told)
        return card(self._title(), asked, answer, failed, facts(told), tag=self._tag())

    def _tag(self) -> str:
        return "simulated" if self.simulated else ""

    def _title(self) -> str:
        return f"{self.template.reference} · {'new version' if self.new else 'unchanged'}"

    def _facts(self) -> dict[str, str]:
        if self.run is None:
            return {"variables": ", ".join(self.template.variables) or "none"}
        told = {"prompt": render(self.template.text, self.values)}
        told |= {"error": self.run.error} if self.run.error else {"answer": self.text}
        read, wrote = map(_count, self.tokens)
        told["tokens"] = f"{read} in, {wrote} out"
        told["cost"] = format_usd(self.run.cost_nano_usd)
        if self.latency_ms is not None:
            told["time"] = f"{self.latency_ms:,.0f} ms"
        if self.simulated:
            told["by"] = "a stand-in, not a language model (simulated)"
        return told


def tried(lab: Lab, namespace: Namespace, line: str, cell: str | None) -> Tried:
    """Save a cell's text as a template's newest version, and ask a model once.

    Args:
        lab: where the template is kept.
        namespace: the notebook's variables, which fill the template's; the line's own come first.
        line: what stands behind `%%prompt`.
        cell: the text; None for the line form, which tries the version that there is.

    Raises:
        PromptStudioError: naming the variable that has no value; nothing is saved then.
    """
    asked = _asked(line)
    # A cell ends in a line break that nobody has written.
    text = lab.template(asked.path).text if cell is None else cell.removesuffix("\n")
    names = variables(text)
    for unknown in sorted(asked.given.keys() - set(names)):
        message = f"the prompt has no variable {unknown!r}.{did_you_mean(unknown, names)}"
        raise PromptStudioError(message)
    # A value that is missing is told before anything is saved.
    values = {} if asked.save else _values(asked.given, namespace, names)
    before = _newest(lab, asked.path)
    template = lab.template(asked.path, None if cell is None else text)
    run = None if asked.save else template.flow(asked.model).run(**values)
    found = Tried(template, cell is not None and template.version != before, values, run)
    if asked.name:
        namespace[asked.name] = found
    return found


@dataclass
class _Asked:
    path: str = ""
    given: dict[str, Json] = field(default_factory=dict)
    model: str = ""
    name: str = ""
    save: bool = False


def _asked(line: str) -> _Asked:
    try:
        words = iter(shlex.split(line))
    except ValueError as error:
        raise _misread(str(error)) from None
    asked = _Asked()
    for word in words:
        _take(asked, word, words)
    if not asked.path:
        why = "it names no template"
        raise _misread(why)
    if asked.name and not asked.name.isidentifier():
        why = f"{asked.name!r} is no name of a variable"
        raise _misread(why)
    return asked


def _take(asked: _Asked, word: str, behind: Iterator[str]) -> None:
    name, given, value = word.partition("=")
    if word in _OPTIONS:
        if (option := next(behind, None)) is None:
            why = f"nothing stands behind {word}"
            raise _misread(why)
        setattr(asked, _OPTIONS[word], option)
    elif word == "--save":
        asked.save = True
    elif given and name.isidentifier():
        asked.given[name] = _json(value)
    elif asked.path or given or word.startswith("-"):
        why = f"cannot make sense of {word!r}"
        raise _misread(why)
    else:
        asked.path = word


def _misread(why: str) -> PromptStudioError:
    return PromptStudioError(f"{why}; it is {USAGE}")


def _json(value: str) -> Json:
    """Return a number, a list and the like as such; whatever else as the text that it is."""
    try:
        return loads(value)
    except PromptStudioError:
        return value


def _newest(lab: Lab, path: str) -> int | None:
    try:
        return lab.template(path).version
    except NotFound:
        return None


def _values(
    given: dict[str, Json], namespace: Namespace, names: tuple[str, ...]
) -> dict[str, Json]:
    known = {**namespace, **given}
    for name in names:
        if name not in known:
            message = (
                f"the prompt needs {name!r}, and there is no variable of that name; "
                f"assign it first, or write {name}=… behind the template's name"
            )
            raise PromptStudioError(message)
        dumps(known[name])
    return {name: known[name] for name in names}


def _count(tokens: int | None) -> str:
    return "unknown" if tokens is None else f"{tokens:,}"
