"""The object a notebook opens: `lab = promptstudio_lab.connect()`."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, overload

from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.looks import named
from promptstudio_lab.lab.analytics import Analytics
from promptstudio_lab.lab.datasets import Dataset
from promptstudio_lab.lab.experimenting.comparing import compare
from promptstudio_lab.lab.experimenting.kept import experiments, opened
from promptstudio_lab.lab.experimenting.offline import Experiment
from promptstudio_lab.lab.experimenting.online import OnlineExperiment, Shares
from promptstudio_lab.lab.facts import Environment
from promptstudio_lab.lab.finding import Found, find, libraries
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.lab.frames import Frames
from promptstudio_lab.lab.lineage import lineage_of
from promptstudio_lab.lab.places import Library, archived, restore
from promptstudio_lab.lab.running.opened import Opened
from promptstudio_lab.lab.templates import Template
from promptstudio_lab.metrics.planned import planned
from promptstudio_lab.settings import choose_warehouse, default_model
from promptstudio_lab.shown import card, facts, printable
from promptstudio_lab.warehouse.archive import archive, months, restore_month
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.frames.query import query as read
from promptstudio_lab.warehouse.history.undo import redo, undo
from promptstudio_lab.warehouse.history.verify import Verified, verify
from promptstudio_lab.warehouse.organizations import enter, open_lab
from promptstudio_lab.warehouse.places.steps import take_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    import polars as pl

    from promptstudio_lab.analytics.lineage import Lineage
    from promptstudio_lab.experiments.online.allotment import Allocation, Hash
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.identity import Actor
    from promptstudio_lab.lab.experimenting.comparing import Comparison
    from promptstudio_lab.lab.running.results import Run
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.settings import WarehouseChoice
    from promptstudio_lab.warehouse.archive import Archived, Restored
    from promptstudio_lab.warehouse.frames.period import When
    from promptstudio_lab.warehouse.history.changelog import Recorded

__all__ = [
    "Dataset",
    "Experiment",
    "Flow",
    "Found",
    "Lab",
    "Library",
    "OnlineExperiment",
    "Template",
    "connect",
]

_warehouses: dict[str, Warehouse] = {}
_opening = Lock()


def connect(
    warehouse: str | None = None,
    *,
    organization: str | None = None,
    lab: str | None = None,
    beside: Path | None = None,
    user: str | None = None,
) -> Lab:
    """Open a lab.

    Args:
        warehouse: `memory`, the path of a SQLite file, or a URL; by default the one that every
            process of this user finds.
        organization: needed only where there are several.
        lab: its name; by default `default`.
        beside: the notebook's folder, where the search for `promptstudio.toml` begins.
        user: the login, where somebody else has established it; by default this process's user.

    Raises:
        WarehouseUnavailable: if it cannot be opened safely.
        NotFound: if there is no such organisation or lab.

    >>> lab = connect("memory")
    >>> lab.flows().height
    0
    """
    choice = choose_warehouse(warehouse, beside)
    opened = _opened(choice)
    actor = enter(opened, organization, user)
    found = open_lab(opened, actor, lab)
    return Lab(opened, actor, found.id, found.name, choice)


def _opened(choice: WarehouseChoice) -> Warehouse:
    """One warehouse object a file and process; each memory warehouse is a new one."""
    if choice.url == "memory":
        return Warehouse("memory")
    with _opening:
        if choice.url not in _warehouses:
            _warehouses[choice.url] = Warehouse(choice.url)
        return _warehouses[choice.url]


class Lab(Opened):
    """A team's room in the warehouse: its flows, templates, datasets and experiments.

    Attributes:
        name: what it is called.
        actor: who works in it.
        warehouse: where everything is kept.
        frames: what ran, as lazy polars frames: `lab.frames.node_executions()`.
        analytics: what it cost, how it did, where it goes: `lab.analytics.cost(by="flow")`.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        actor: Actor,
        lab_id: str,
        name: str,
        choice: WarehouseChoice,
    ) -> None:
        """Bind a lab; use `connect` to open one."""
        self.warehouse, self.actor, self.id, self.name = warehouse, actor, lab_id, name
        self.choice = choice
        self.frames = Frames(warehouse, actor)
        self.environment = Environment(warehouse, actor, lab_id, default_model())
        self.environment.flow_named = self.flow
        self.analytics = Analytics(self.environment)

    def __repr__(self) -> str:
        """Say which lab this is, where it is kept, and why there."""
        return (
            f"<Lab {self.name!r} as {printable(self.actor.name)} in {self.warehouse.url}"
            f" ({self.choice.why})>"
        )

    def _repr_html_(self) -> str:
        told = {"you": self.actor.name, "kept in": self.warehouse.url, "because": self.choice.why}
        begin = "lab.flows(), lab.templates(), lab.find(…), lab.runs(), lab.sql(…)"
        return card(f"Lab {self.name}", facts(told | {"ask": begin}))

    def flow(self, path: str) -> Flow:
        """Return the flow at a path, making it if need be; without a library it is in *Drafts*.

        With a version or a label behind an `@`, as `support/triage@production`, it is the saved
        version: it can be looked at and run, and never changes.

        Raises:
            NotFound: if there is no such version or label.
        """
        return Flow.named(self.environment, path)

    def import_flow(self, source: str | Path, path: str) -> Flow:
        """Return a new flow with what a JSON or YAML file or text holds; nothing in it is run.

        What is wrong with it, such as a kind that is not installed, comes along: `check()` tells.

        Args:
            source: the text, or the path of a `.json`, `.yaml` or `.yml` file.
            path: `library/name` of the new flow.

        Raises:
            FlowError: if it is no flow.
            OperationRefused: if there is a flow of that name that holds something.

        >>> lab = connect("memory")
        >>> f = lab.flow("echo")
        >>> _ = f.output(answer=f.input("question"))
        >>> lab.import_flow(f.to_yaml(), "copy").check()
        <no problems>
        """
        return Flow.imported(self.environment, source, path)

    def draft(self) -> Flow:
        """Return a flow that is kept nowhere: it can be checked and run, but not compared."""
        return Flow(self.environment, None, "draft")

    def template(self, path: str, text: str | None = None, note: str = "") -> Template:
        """Return the template at a path; with a text, save that as its newest version first.

        Args:
            path: `library/name`, with `@version` for an older one.
            text: the new text; the same text as the newest makes no version.
            note: why it was changed.
        """
        if text is not None:
            return Template.saved(self.environment, path, text, note)
        return Template.at(self.environment, path)

    def library(self, path: str) -> Library:
        """Return the library at a path, for flows and templates alike; `.create()` makes it."""
        return Library(self.environment, path)

    def libraries(self) -> pl.DataFrame:
        """Return the lab's libraries, one a row, with how much they hold directly."""
        return libraries(self.environment)

    def find(
        self,
        text: str | None = None,
        *,
        tag: str | None = None,
        category: str | None = None,
        kind: str | None = None,
        model: str | None = None,
        template: str | None = None,
    ) -> Found:
        """Return the libraries, flows and templates that fit everything that is asked for.

        Args:
            text: stands in the path, the description or a template's current text; case is no
                matter.
            tag: a tag that it has.
            category: its category.
            kind: `library`, `flow` or `template`; or a kind of node, for the flows that hold one.
            model: a model that a flow's node asks.
            template: a template that a flow uses: `library/name` in any version, or with one.

        Raises:
            NotFound: if there is no such kind.

        >>> lab = connect("memory")
        >>> _ = lab.template("support/classify", "Label this: {{ ticket }}").tag("nlp")
        >>> lab.find("LABEL")
        <Found 1 template>
          template support/classify
        >>> lab.find(tag="nlp").facets["kind"].rows()
        [('template', 1)]
        """
        asked = {"tag": tag, "category": category, "kind": kind, "model": model}
        return find(self.environment, text=text, template=template, **asked)

    def archived(self) -> pl.DataFrame:
        """Return what is archived, one thing a row, the newest first."""
        return archived(self.environment)

    def restore(self, wanted: str, kind: str | None = None) -> str:
        """Bring back what was archived and return its path.

        Args:
            wanted: its path or its id, as `archived()` lists them.
            kind: `library`, `flow` or `template`, where several things had the path.
        """
        return restore(self.environment, wanted, kind)

    def undo(self) -> tuple[str, ...]:
        """Take back your last step among the lab's libraries, flows and templates.

        Returns:
            What was done to that end; nothing if there was no step.

        Raises:
            Conflict: if somebody's later change stands in the way; it says which.
        """
        return self._take_back(undo)

    def redo(self) -> tuple[str, ...]:
        """Do again what your last undo took back."""
        return self._take_back(redo)

    def _take_back(self, step: Callable[..., list[Recorded]]) -> tuple[str, ...]:
        done = self.warehouse.transact(
            self.actor, lambda session: take_back(session, self.id, step)
        )
        return tuple(each.type for each in done)

    def dataset(
        self, name: str, data: Any = None, key: str | None = None
    ) -> Dataset:  # a frame of either library
        """Return the dataset of that name; with data, keep that as its newest version first.

        Args:
            name: unique in the lab.
            data: a polars or pandas frame, a list of mappings, or the path of a JSONL file.
            key: the column that identifies a row; `id` if there is one, else the row's number.
        """
        if data is not None:
            return Dataset.saved(self.environment, name, data, key)
        return Dataset.at(self.environment, name)

    @overload
    def experiment(
        self,
        name: str,
        *,
        flow: Flow,
        variants: Mapping[str, Patch | None],
        data: Any,  # a Dataset, or a frame of either library
        scorer: Scorer,
        alpha: float = ...,
        goals: Sequence[Metric] | None = ...,
        costs: Sequence[Metric] | None = ...,
        guards: Sequence[Metric] | None = ...,
        looks: Looks = ...,
    ) -> Experiment: ...

    @overload
    def experiment(
        self,
        name: str,
        *,
        flow: Flow,
        variants: Mapping[str, Patch | None],
        scorer: Scorer | None = ...,
        alpha: float = ...,
        goals: Sequence[Metric] | None = ...,
        costs: Sequence[Metric] | None = ...,
        guards: Sequence[Metric] | None = ...,
        looks: Looks = ...,
        unit: str = ...,
        weights: Sequence[float] | None = ...,
        coverage: float = ...,
        namespace: tuple[str, float, float] | None = ...,
        holdout: float = ...,
        hash: Hash = ...,
        allocation: Allocation = ...,
    ) -> OnlineExperiment: ...

    @overload
    def experiment(
        self, name: str, *, flow: Flow | None = ..., scorer: Scorer | None = ...
    ) -> Any: ...  # an Experiment or an OnlineExperiment, as it began

    def experiment(  # noqa: PLR0913 — what is compared, on whom, and how it is judged
        self,
        name: str,
        *,
        flow: Flow | None = None,
        variants: Mapping[str, Patch | None] | None = None,
        data: Any = None,  # a Dataset, or a frame of either library
        scorer: Scorer | None = None,
        alpha: float = 0.05,
        goals: Sequence[Metric] | None = None,
        costs: Sequence[Metric] | None = None,
        guards: Sequence[Metric] | None = None,
        looks: Looks = "anytime",
        unit: str = "unit",
        **shares: Any,  # as `Shares` names them
    ) -> Experiment | OnlineExperiment:
        """Return an experiment: with data every variant runs on every item, so results are paired.

        Without data it is online: `start()` it, and each unit that comes meets one variant. One
        that has begun is opened by its name alone, in any session; `experiments()` lists them.

        Args:
            name: unique among the flow's experiments.
            flow: the flow that the variants change; it tells apart two of one name.
            variants: patches by name; the first is the control, None leaves the flow as it is.
            data: a dataset, a frame, or a list of mappings.
            scorer: judges each run; online a run succeeds without one by ending well.
            alpha: the chance of naming a winner where there is none.
            goals: the metrics that decide, frozen with the plan; success by default. What a report
                is asked for besides is told as exploratory.
            costs: what is named beside the decision.
            guards: what may hold it back, as `ps.Quantile("latency_ms", 0.95,
                max_regression="10%")`.
            looks: `anytime`, `fixed` or `ps.Schedule(5)`: looks planned beforehand see more.
            unit: what meets a variant online, such as `user_id`; also the column of `batch`.
            shares: online: `weights` of the variants (equal by default); `coverage`, the share of
                the units that take part (raise it later with `.cover`); `namespace`, its name and
                the part of it as (name, from, up to); `holdout`, the share that meets no
                experiment; `hash`, `blake2b` or `growthbook`; `allocation`, `fixed` or `thompson`.

        Raises:
            AnalysisError: for fewer than two variants, shares that nobody can be given, metrics
                that cannot be planned, or a name under which nothing has begun.
        """
        metrics, looks = planned(goals, costs, guards), named(looks)
        if data is None and variants is None:
            changed = bool(metrics or shares or looks != "anytime")
            return opened(self.environment, name, flow, scorer, changed=changed)
        if flow is None:
            message = f"whose variants does {name!r} compare? Hint: flow=lab.flow('library/name')"
            raise AnalysisError(message)
        judged: Any = {"alpha": alpha, "metrics": metrics, "looks": looks}  # as both kinds take it
        if data is None:
            how = Shares.named(**shares)
            return OnlineExperiment(name, flow, variants, how, unit=unit, scorer=scorer, **judged)
        if scorer is None or variants is None or shares:
            message = "an experiment on data needs variants and a scorer, and shares nothing out"
            raise AnalysisError(message)
        dataset = data if isinstance(data, Dataset) else Dataset.of(self.environment, data)
        return Experiment(name, flow, variants, dataset, scorer, **judged)

    def experiments(self) -> pl.DataFrame:
        """Return the experiments that have begun, one a row, the newest first.

        `units` are the items or users that were met, `looks` how often somebody has seen new data,
        `decision` what the newest report said. `lab.experiment(name)` opens one.

        >>> lab = connect("memory")
        >>> lab.experiments().columns[:5]
        ['experiment', 'flow', 'design', 'status', 'variants']
        """
        return experiments(self.environment)

    def compare(
        self,
        before: Any,  # a Run, a run's id, or a frame of results
        after: Any,  # the same
        *,
        metrics: Sequence[Metric] | None = None,
        method: str = "anytime",
    ) -> Comparison:
        """Return what differs between two runs, or between two batches on the same items.

        Args:
            before: a run or its id, or the frame that `flow.batch` or `experiment.results` gave.
            after: the same of the other; items are paired by their keys.
            metrics: what to measure of two batches; the usual ones by default.
            method: `anytime`, which allows looking at any time, or `fixed`.

        Returns:
            Which items flipped, the first node where each went apart, the difference of the
            texts there, and of batches the report.

        Raises:
            AnalysisError: if there is no such run, or the two have no item in common.

        >>> lab = connect("memory")
        >>> f = lab.flow("greet")
        >>> _ = f.output(said=f.prompt("hello", prompt="Hello {{ name }}!", name=f.input("name")))
        >>> print(lab.compare(f.run(name="Ada"), f.run(name="Bob")).diff())
        --- name before
        +++ name after
        @@ -1 +1 @@
        -Ada
        +Bob
        """
        return compare(self.environment, before, after, metrics, method)

    def flows(self) -> pl.DataFrame:
        """Return the lab's flows, one a row."""
        return self.environment.flows()

    def templates(self) -> pl.DataFrame:
        """Return the lab's templates, one a row."""
        return self.environment.templates()

    def outcomes(self, experiment: str, metric: str, within: timedelta) -> pl.DataFrame:
        """Return each exposure of an experiment with what was measured within a window after it.

        Args:
            experiment: its name.
            metric: the name that `run.metric` was given.
            within: how long after its exposure an outcome still counts.

        Returns:
            One row an exposure: `unit_key`, `variant`, `exposed_at`, `outcomes` (how many) and
            `value` (their sum, null where there is none).
        """
        return self.environment.outcomes(experiment, metric, within)

    def trace(self, reference: str) -> pl.DataFrame:
        """Return where a template version was used, at what cost and with what success.

        Args:
            reference: `library/name@version`, or without a version for all of them.
        """
        return self.environment.trace(reference)

    def lineage(
        self,
        thing: Template | Flow | Run | Experiment | OnlineExperiment | str,
        since: When | None = None,
        until: When | None = None,
    ) -> Lineage:
        """Return what something came from and what came of it, as a table and as a graph.

        The chain is template version, usage, flow version, node, execution, call, cost: from
        wherever one stands, in both directions. `.graph()` draws it; a click chooses.

        Args:
            thing: a template, a flow, a run or an experiment, `library/name@version` of a template,
                or the id of a run, a node's execution, a call, a template, a flow or a node.
            since: the first moment of a run.
            until: the moment after the last.

        Raises:
            NotFound: if there is no template of that name.

        >>> lab = connect("memory")
        >>> greet = lab.template("desk/greet", "Greet {{ name }}")
        >>> flow = lab.flow("desk/hello")
        >>> said = flow.llm("say", prompt=greet.reference, name=flow.input("name"))
        >>> _ = flow.output(greeting=said.text)
        >>> run = flow.run(name="Ada")
        >>> lab.lineage(greet).edges["target_kind"].to_list()
        ['usage', 'flow version', 'node', 'execution', 'call', 'cost']
        >>> lab.lineage(run).calls.equals(lab.lineage(greet).calls)
        True
        """
        return lineage_of(self.environment, thing, since, until)

    def verify(self) -> Verified:
        """Return whether the change log is whole: nothing cut out of it, nothing rewritten.

        >>> lab = connect("memory")
        >>> _ = lab.flow("support/triage")
        >>> lab.verify().ok
        True
        """
        with self.warehouse.reading(self.actor) as session:
            return verify(session)

    def views(self) -> pl.DataFrame:
        """Return what there is to ask with `sql`: every column of every view, and its meaning.

        >>> told = connect("memory").views()
        >>> told.filter(view="v_trace", column="used")["meaning"].item()
        '1 for the call whose answer the node gave, else 0'
        """
        return self.environment.views()

    def months(self) -> pl.DataFrame:
        """Return which months are in the database and which are archived, one row a table."""
        return months(self.warehouse, self.actor)

    def archive(self, month: str, folder: Path | str | None = None) -> Archived:
        """Move a past month's runs out of the database into Parquet files.

        Frames read them as before and reports count them as before; to go on with one of their
        experiments asks for `restore_month` first.

        Args:
            month: a whole month that is past, as 2026-03.
            folder: where `cold/` is made; beside the SQLite file by default.

        Raises:
            OperationRefused: for a month that is not over.
            AccessDenied: on PostgreSQL, for anybody but the owner.
            Conflict: if its runs are not over.
        """
        mark_interrupted(self.warehouse, self.actor)
        return archive(self.warehouse, self.actor, month, folder)

    def restore_month(self, month: str) -> Restored:
        """Put an archived month back into the database, every row as it was.

        Raises:
            NotFound: if nothing of that month is archived.
            WarehouseError: if its files are gone, or are no longer what was written.
        """
        return restore_month(self.warehouse, self.actor, month)

    def sql(
        self, query: str, /, **parameters: Any
    ) -> pl.DataFrame:  # bound values are of their columns' types
        """Return the rows of a SELECT over the warehouse's tables and `v_` views.

        Args:
            query: one SELECT, with `:name` parameters; `:organization_id` is known.
            parameters: their values.

        Returns:
            Columns that end in `_at` are UTC times, flags are booleans, keys are text.

        >>> connect("memory").sql("SELECT :n + 1 AS two", n=1)["two"].to_list()
        [2]
        """
        return read(self.warehouse, self.actor, query, parameters)
