"""A prompt template in a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptstudio_lab.lab.places import Labelled
from promptstudio_lab.rendering import render, variables
from promptstudio_lab.shown import block, card, facts
from promptstudio_lab.templates import store
from promptstudio_lab.templates.diff import diff

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.running.results import Run
    from promptstudio_lab.templates.diff import TemplateDiff
    from promptstudio_lab.templates.store import TemplateVersion
    from promptstudio_lab.values import Json


class Template(Labelled):
    """One version of a template.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> lab.template("support/classify", "Label this: {{ ticket }}")
    <Template 'support/classify@1' (ticket)>
    >>> lab.template("support/classify", "Which label fits? {{ ticket }}").version
    2
    >>> print(lab.template("support/classify").diff(1))
    --- support/classify@1
    +++ support/classify@2
    @@ -1 +1 @@
    -Label this: {{ ticket }}
    +Which label fits? {{ ticket }}
    >>> lab.template("support/classify@1").render(ticket="Hi")
    'Label this: Hi'
    """

    kind = "template"

    def __init__(self, environment: Environment, found: TemplateVersion) -> None:
        """Wrap a version; use `lab.template` to get one."""
        self._environment, self._found, self.path = environment, found, found.path

    @classmethod
    def at(cls, environment: Environment, reference: str) -> Template:
        """Return the version that a reference names."""
        with environment.warehouse.reading(environment.actor) as session:
            return cls(environment, store.load(session, environment.lab_id, reference))

    @classmethod
    def saved(cls, environment: Environment, path: str, text: str, note: str) -> Template:
        """Save a text and return its version."""
        return cls(
            environment,
            environment.warehouse.transact(
                environment.actor,
                lambda session: store.save(session, environment.lab_id, path, text, note),
            ),
        )

    def __repr__(self) -> str:
        """Name the version and its variables."""
        return f"<Template {self.reference!r} ({', '.join(self.variables)})>"

    def _repr_html_(self) -> str:
        needed = ", ".join(self.variables) or "nothing"
        return card(self.reference, block(self.text), facts({"needs": needed}))

    @property
    def reference(self) -> str:
        """Return how a flow names this very version."""
        return self._found.reference

    @property
    def version(self) -> int:
        """Return the version's number."""
        return self._found.version

    @property
    def text(self) -> str:
        """Return the text."""
        return self._found.text

    def diff(self, before: int, after: int | None = None) -> TemplateDiff:
        """Return what differs between two versions of this template.

        Args:
            before: the earlier version's number.
            after: the later one's; by default this version.
        """
        path = self._found.path
        with self._environment.warehouse.reading(self._environment.actor) as session:
            one, other = (
                store.load(session, self._environment.lab_id, f"{path}@{number}")
                for number in (before, self.version if after is None else after)
            )
        return diff(one, other)

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names that rendering needs."""
        return variables(self.text)

    def render(self, **values: Json) -> str:
        """Return the text with its variables filled.

        Raises:
            MissingVariable: if one has no value.
        """
        return render(self.text, values)

    def run(self, model: str = "", **values: Json) -> Run:
        """Ask a model this prompt once; the run and its cost are kept like any other.

        Args:
            model: `provider:model`; the lab's own by default.
            values: the variables.

        Raises:
            FlowError: naming the variable that has no value.
        """
        ran: Run = self.flow(model).run(**values)
        return ran

    def batch(
        self,
        data: Any,  # a Dataset, or a frame of either library
        model: str = "",
        **settings: Any,  # as `flow.batch` takes them
    ) -> pl.DataFrame:
        """Ask a model this prompt for every row and return one row each.

        Args:
            data: a dataset, a frame or a list of mappings, with a column for each variable.
            model: `provider:model`; the lab's own by default.
            settings: `scorer`, `budget`, `concurrency` and `name`.
        """
        rows: pl.DataFrame = self.flow(model).batch(data, **settings)
        return rows

    def flow(self, model: str = "") -> Any:  # a Flow, which lies above templates
        """Return the flow of this one prompt, which lies among the lab's flows like any other.

        Args:
            model: `provider:model`; the lab's own by default.
        """
        flow = self._environment.flow_named(f"Prompts/{self._found.path}")
        given = {name: flow.input(name, "any") for name in self.variables}
        chosen = {"model": model} if model else {}
        flow.output(text=flow.llm("ask", prompt=self.reference, **chosen, **given).text)
        return flow

    def _key(self) -> str:
        return self._found.template_id

    def _become(self, path: str) -> Template:
        self.path, self._found = path, replace(self._found, path=path)
        return self

    def _at(self, path: str) -> Template:
        return Template.at(self._environment, path)

    def _version(self) -> int:
        return self._found.version
