"""An experiment on whoever comes: each unit meets one variant, and keeps it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.datasets.frames import rows_of
from promptstudio_lab.engine.batch import CONCURRENCY
from promptstudio_lab.engine.records import RunInput
from promptstudio_lab.engine.replay.pinned import pinned, unpinned
from promptstudio_lab.errors import AnalysisError, DatasetError, did_you_mean
from promptstudio_lab.experiments import store
from promptstudio_lab.experiments.analysis import Part, two_variants
from promptstudio_lab.experiments.online.allotment import Allotment
from promptstudio_lab.experiments.online.bandit import Known, shares
from promptstudio_lab.experiments.plan.arriving import Arriving, arriving
from promptstudio_lab.experiments.plan.looks import Schedule, frozen_looks, named
from promptstudio_lab.experiments.plan.sizing import smallest
from promptstudio_lab.experiments.wording import Noun
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.experimenting.looking import (
    Looking,
    Sources,
    frozen_metrics,
    known_in,
    near,
    sums_of,
    templates_of,
)
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.given import check_given, check_scorer
from promptstudio_lab.lab.running.results import Run, batch_row, results_frame
from promptstudio_lab.lab.running.told import ended_here
from promptstudio_lab.shown import card, facts, printable
from promptstudio_lab.stats.sums import LEAST_ROWS, SumsApart
from promptstudio_lab.warehouse.queries.experiments.exposures import Came, Met, came, first_met
from promptstudio_lab.warehouse.queries.experiments.sums import (
    arm_sums,
    multi_units,
    seen,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import polars as pl

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.experiments.behind import Columns
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

_FRESH_S = 10.0
# What may move on once an experiment has begun: it goes on with what was frozen.
_LATER = ("flow_version", "default_model", "templates", "salt")


class Shares(NamedTuple):
    """How the units that come are shared out, besides what the hash needs.

    Attributes:
        weights: each variant's share, in the order of the variants; equal ones by default.
        coverage: the share of units that take part.
        namespace: its name, and from where up to where in it.
        holdout: the share of all units that meets no experiment.
        hash: `blake2b` or `growthbook`.
        allocation: `fixed` or `thompson`.
    """

    weights: Sequence[float] | None = None
    coverage: float = 1.0
    namespace: tuple[str, float, float] | None = None
    holdout: float = 0.0
    hash: Any = "blake2b"  # a caller without a type checker may give anything
    allocation: Any = "fixed"  # the same

    @classmethod
    def named(cls, **words: Any) -> Shares:  # what a caller gave, whatever it is
        """Return shares by name.

        Raises:
            AnalysisError: for a name that there is not.
        """
        for word in words:
            if word not in cls._fields:
                message = f"an experiment has no {word!r}.{did_you_mean(word, cls._fields)}"
                raise AnalysisError(message)
        return cls(**words)


class OnlineExperiment(Looking):
    """A comparison in which each unit, such as a user, meets one variant and keeps it.

    What runs is frozen when it starts, so it goes on as it was whatever becomes of the flow.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> f = lab.flow("greet")
    >>> _ = f.output(said=f.prompt("hello", prompt="Hello {{ name }}!", name=f.input("name")))
    >>> variants = {"formal": None, "warm": f.vary("hello.prompt", "Hi {{ name }}!")}
    >>> e = lab.experiment("greeting", flow=f, variants=variants, unit="user_id").start()
    >>> e.assign("user-3"), e.run("user-3", name="Ada").outputs
    ('warm', {'said': 'Hi Ada!'})
    """

    apart = True

    def __init__(  # noqa: PLR0913 — what is compared, on whom, and how it is judged
        self,
        name: str,
        flow: Flow,
        variants: Mapping[str, Patch | None] | None,
        how: Shares,
        *,
        unit: str,
        scorer: Scorer | None,
        alpha: float,
        metrics: tuple[Metric, ...] = (),
        looks: Looks = "anytime",
    ) -> None:
        """Bind the parts; use `lab.experiment` to make one.

        Raises:
            AnalysisError: for fewer than two variants, or shares that nobody can be given.
        """
        if variants is not None and len(variants) < LEAST_ROWS:
            message = f"an experiment compares at least two variants, not {list(variants)}"
            raise AnalysisError(message)
        self.name, self.flow, self.unit, self.alpha = name, flow, unit, alpha
        self.variants, self.scorer, self.metrics = variants, scorer, metrics
        self._how, self.looks = how, looks
        self._environment = flow._environment  # noqa: SLF001 — one package, and not for users
        self._started: Started | None = None
        self._moved: tuple[float, tuple[float, ...]] | None = None
        if isinstance(looks, Schedule) and how.allocation == "thompson":
            message = "a bandit's shares change on the way, so no number of units can be planned"
            raise AnalysisError(message)
        if variants is not None:
            self._allotment(variants, flow.path)

    def start(self) -> OnlineExperiment:
        """Freeze the plan and begin; an experiment that has begun with the same plan goes on.

        Raises:
            Conflict: if it has begun with another plan.
            FlowInvalid: with every problem, if the flow or a variant cannot run.
        """
        if self.variants is None:
            self._found()
            return self
        variants = dict(self.variants)
        head = self.flow.head()
        if self.scorer is not None:
            check_scorer(self.scorer, head.graph, self.flow.facts(head.graph))
        flow_id = head.id
        plan = execution.prepare(self._environment, flow_id, variants, self.scorer)
        allotment = self._allotment(variants, head.path)
        patches = {name: patch.document() if patch else [] for name, patch in variants.items()}
        frozen: dict[str, Json] = {
            "flow_version": plan.flow_version,
            "default_model": plan.default_model,
            "templates": templates_of(plan),
            "variants": [[name, patch] for name, patch in patches.items()],
            "scorer": self.scorer.describe() if self.scorer else None,
            "alpha": self.alpha,
            "unit": self.unit,
            "salt": allotment.salt,
            "allotment": allotment.document(),
            "design": "each unit one variant",
            **frozen_metrics(self.metrics),
            **frozen_looks(self.looks),
        }

        def work(session: Session) -> Started:
            begun = store.start(
                session,
                flow_id,
                self.name,
                frozen,
                patches,
                weights=dict(zip(variants, allotment.weights, strict=True)),
                coverage=self._how.coverage,
                later=_LATER,
            )
            return store.pin(session, begun, pinned(_bound(plan, begun)))

        self._started = self._environment.warehouse.transact(self._environment.actor, work)
        return self

    def cover(self, coverage: float) -> OnlineExperiment:
        """Let a larger share of the units take part; none that takes part already is moved.

        Raises:
            AnalysisError: for less than now, or more than 1.
        """
        found = self._found()
        self._environment.warehouse.transact(
            self._environment.actor, lambda session: store.cover(session, found.id, coverage)
        )
        return self

    def stop(self) -> OnlineExperiment:
        """End the experiment: from now on nobody meets a variant, and reports stay."""
        found = self._found()
        self._environment.warehouse.transact(
            self._environment.actor, lambda session: store.complete(session, found.id)
        )
        return self

    def assign(self, unit: str) -> str | None:
        """Return the variant of a unit, or None if it takes no part; nothing is written.

        A unit that has met a variant keeps it; the others are decided by their hash.

        Raises:
            AnalysisError: if the experiment has not begun.
        """
        met = self._met([unit])[unit]
        return None if met is None else self._name_of(met)

    def plan(
        self,
        mde: float | str,
        *,
        metric: Metric | None = None,
        power: float = 0.8,
        method: Looks | None = None,
        per_day: float | None = None,
    ) -> Arriving:
        """Return how many units show a difference, how many days that takes, and what it costs.

        The spread, the traffic and the price are those of the experiment so far; before it has any,
        the widest spread that a share can have.

        Args:
            mde: the smallest difference that matters, in the metric's unit: 0.05 is 5 points; or in
                words: "5pp", "200 ms", or "2%" of what the control had so far.
            metric: the goal; the first of the plan by default, or success.
            power: the chance to see the difference.
            method: `anytime`, which allows looking at any time, `fixed`, or `ps.Schedule(5)`; the
                experiment's own `looks` by default.
            per_day: how many units come in a day, where you know better.

        Raises:
            AnalysisError: if a number is impossible, or the metric is no share and nothing has run.
        """
        goals = self._goals
        goal = metric or goals[0]
        known, came = self._seen(goal), self._came()
        if known is None and goal.unit != "share":
            message = f"how {goal.name!r} varies is not known yet: run some {self._noun.many} first"
            raise AnalysisError(message)
        return arriving(
            goal,
            smallest(mde, goal, None if known is None else known.control),
            shares=self._promised_now(),
            goals=len(goals),
            sd=None if known is None else known.sd,
            have=0 if came is None else came.units,
            per_day=per_day or (None if came is None else came.per_day),
            cost_per_run=None if known is None else known.cost_usd,
            method=self._looks if method is None else named(method),
            alpha=self.alpha,
            power=power,
            noun=self._noun,
        )

    def _came(self) -> Came | None:
        if self.variants is not None and self._started is None:
            return None
        with self._environment.warehouse.reading(self._environment.actor) as session:
            return came(session, self._found().id)

    def _promised_now(self) -> dict[str, float]:
        if self._started is None and self.variants is not None:
            weights = self._allotment(self.variants, self.flow.path).weights
            return dict(zip(self.variants, weights, strict=True))
        return self._promised()

    def shares(self) -> dict[str, float]:
        """Return the share of each variant among the units that come now, worked out afresh."""
        found = self._found()
        with self._environment.warehouse.reading(self._environment.actor) as session:
            self._moved = None
            now = self._shares(session, found) or self._frozen().weights
        return dict(zip(found.variants, now, strict=True))

    def run(self, unit: str, **inputs: Json) -> Run:
        """Run a unit's variant once; the exposure is written with the run.

        A unit that takes no part gets what the control gives, and nothing is counted.

        Args:
            unit: whose variant it is; text.
            inputs: values by the names of the flow's inputs.

        Raises:
            AnalysisError: if the experiment has not begun.
            FlowError: if an input lacks its value, or there is none of that name.
        """
        plan = self._plan()
        _check_inputs(plan, inputs)
        met = self._met([unit])[unit]
        plan, item = self._item(plan, unit, met, inputs)
        (run,) = execution.execute(
            self._environment,
            plan,
            [item],
            lambda ended: Run(ended_here(ended), self._environment),
            ack="commit",
            title=f"{self.name} · {unit}",
        )
        return run

    async def arun(self, unit: str, **inputs: Json) -> Run:
        """Do what `run` does while the notebook's own loop goes on."""
        return await asyncio.to_thread(lambda: self.run(unit, **inputs))

    def batch(
        self,
        data: Any,  # a frame of either library
        *,
        budget: int | None = None,
        concurrency: int = CONCURRENCY,
    ) -> pl.DataFrame:
        """Run many units and return one row each; the column named as `unit` says who each is.

        Args:
            data: a polars or pandas frame, or a list of mappings.
            budget: what may be spent at most, as `ps.usd(2)`.
            concurrency: how many rows run at once.

        Raises:
            AnalysisError: if the experiment has not begun.
            DatasetError: if a row does not say which unit it is.
        """
        rows, plan = rows_of(data), self._plan()
        for number, row in enumerate(rows, start=1):
            if row.get(self.unit) is None:
                message = f"row {number} has no {self.unit!r}, so nobody knows whose it is"
                raise DatasetError(message)
            _check_inputs(plan, row, extra=True)
        met = self._met({str(row[self.unit]) for row in rows})
        found: list[dict[str, Json]] = []
        for inside in (True, False):
            some = [row for row in rows if (met[str(row[self.unit])] is not None) == inside]
            each = [
                self._item(plan, unit, met[unit], row)
                for row in some
                for unit in [str(row[self.unit])]
            ]
            if each:
                found += execution.execute(
                    self._environment,
                    each[0][0],
                    [item for _, item in each],
                    batch_row,
                    budget=budget,
                    concurrency=concurrency,
                    title=f"{self.name} · {self._noun.counted(len(each))}",
                )
        return results_frame(found)

    async def abatch(self, data: Any, **settings: Any) -> pl.DataFrame:  # as `batch` takes them
        """Do what `batch` does while the notebook's own loop goes on."""
        return await asyncio.to_thread(lambda: self.batch(data, **settings))

    def __repr__(self) -> str:
        """Name the experiment and what it compares."""
        what = f"{printable(self._names)} by {printable(self.unit)}"
        return f"<OnlineExperiment {self.name!r}: {what}>"

    def _repr_html_(self) -> str:
        told = {
            "compares": self._names,
            "of": self.flow.path,
            "each": self.unit,
            "alpha": f"{self.alpha:g}",
            "then": ".start(), .run(unit, …), and .report() for the decision",
        }
        return card(self.name, facts(told), tag="online experiment")

    @property
    def _names(self) -> str:
        return " vs ".join(self.variants if self.variants is not None else self._found().variants)

    def _parts(
        self,
        session: Session,
        started: Started,
        treatments: Sequence[str],
        columns: Sequence[str],
    ) -> Sources:
        found = seen(session, started.id, columns, apart=True)
        known = known_in(found, columns)
        if not found:
            raise self._none()
        if not known:
            return Sources([], [], state_of(found))
        allotment = self._frozen()
        drawn = allotment.allocation == "thompson"
        sums = arm_sums(session, started.id, known, near(found, known), weighted=drawn)
        control = next(iter(started.variants))
        for name in (control, *treatments):
            units = sums[started.variants[name]].n if started.variants[name] in sums else 0
            if units < LEAST_ROWS:
                message = f"{self._noun.counted(units)} met {name!r} so far: at least 2 are needed"
                raise AnalysisError(message)
        promised = dict(zip(started.variants, allotment.weights, strict=True))
        left_out = multi_units(session, started.id)
        moved = "shares changed on the way, so units weigh 1 / their propensity"
        notes = [moved] * drawn + [two_variants(left_out)] * bool(left_out)
        parts = []
        for treatment in treatments:
            ids = {name: started.variants[name] for name in (control, treatment)}
            parts.append(
                Part(
                    treatment,
                    SumsApart({name: sums_of(sums[key]) for name, key in ids.items()}),
                    counts={name: found[key].units for name, key in ids.items()},
                    expected=None if drawn else {name: promised[name] for name in ids},
                    simulated=any(found[key].simulated for key in ids.values()),
                    sql=sums[ids[control]].sql,
                    multi=left_out,
                    noun=self._noun,
                    notes=tuple(notes),
                )
            )
        return Sources(parts, known, state_of(found))

    @property
    def _noun(self) -> Noun:
        return Noun.of(self.unit)

    @property
    def _steady_shares(self) -> bool:
        return self._frozen().allocation == "fixed"

    def _promised(self) -> dict[str, float]:
        started = self._found()
        return dict(zip(started.variants, self._frozen().weights, strict=True))

    def _frame(
        self, session: Session, started: Started, where: Columns
    ) -> tuple[pl.DataFrame, str]:
        if self._frozen().allocation == "thompson":
            message = (
                "a bandit's shares changed on the way, so its rows cannot be compared as they are;"
                " ask for the metrics that sums can answer"
            )
            raise AnalysisError(message)
        return super()._frame(session, started, where)

    def _allotment(self, variants: Collection[str], path: str) -> Allotment:
        how, count = self._how, len(variants)
        weights = tuple(how.weights) if how.weights is not None else (1 / count,) * count
        if len(weights) != count:
            message = f"{len(weights)} weights for {count} variants: one of each is needed"
            raise AnalysisError(message)
        if not 0 < how.coverage <= 1:
            message = f"a coverage of {how.coverage:g} is no share of the units above 0"
            raise AnalysisError(message)
        return Allotment(
            # GrowthBook's own seed is the experiment's key; ours keeps flows apart as well.
            self.name if how.hash == "growthbook" else f"{path}/{self.name}",
            weights,
            how.hash,
            how.namespace,
            how.holdout,
            how.allocation,
        )

    def _frozen(self) -> Allotment:
        plan = self._found().plan
        return Allotment.of(plan["salt"], plan["allotment"])

    def _found(self) -> Started:
        if self._started is None:
            flow_id = self.flow.head().id
            with self._environment.warehouse.reading(self._environment.actor) as session:
                found = store.started(session, flow_id, self.name)
            if found is None or found.pinned is None:
                message = f"the experiment {self.name!r} has not begun; call .start() first"
                raise AnalysisError(message)
            self._started = found
            self.alpha, self.unit = found.plan["alpha"], found.plan["unit"]
        return self._started

    def _plan(self) -> Plan:
        actor = self._environment.actor.id
        return unpinned(
            self._found().pinned,
            asked=actor,
            runs=actor,
            trigger=self._environment.trigger,
            origin=self._environment.origin,
        )

    def _met(self, units: Collection[str]) -> dict[str, Met | None]:
        """Return what each unit has met, or meets when it comes; None where it takes no part."""
        found, allotment = self._found(), self._frozen()
        ids = list(found.variants.values())
        with self._environment.warehouse.reading(self._environment.actor) as session:
            status, coverage = store.standing(session, found.id)
            if status != "running":
                return dict.fromkeys(units)
            before = first_met(session, found.id, units)
            now = self._shares(session, found)
        met: dict[str, Met | None] = {}
        for unit in units:
            drawn = None if unit in before else allotment.draw(unit, coverage, now)
            new = None if drawn is None else Met(ids[drawn.variant], drawn.propensity)
            met[unit] = before.get(unit, new)
        return met

    def _shares(self, session: Session, found: Started) -> tuple[float, ...] | None:
        """Return the shares of the moment where they change, not older than some seconds."""
        allotment = self._frozen()
        if allotment.allocation == "fixed":
            return None
        if self._moved is None or time.monotonic() - self._moved[0] > _FRESH_S:
            there = seen(session, found.id, ["success"], apart=True)
            known = [
                Known(arm.units, arm.means["success"] or 0.0) if arm else Known(0, 0.0)
                for arm in map(there.get, found.variants.values())
            ]
            self._moved = (time.monotonic(), shares(known, allotment.weights))
        return self._moved[1]

    def _name_of(self, met: Met) -> str:
        names = {key: name for name, key in self._found().variants.items()}
        return names[met.variant_id]

    def _item(
        self, plan: Plan, unit: str, met: Met | None, values: Mapping[str, Json]
    ) -> tuple[Plan, RunInput]:
        if met is None:
            control = next(iter(plan.variants.values()))
            apart = {control.name: replace(control, variant_id=None)}
            outside = replace(plan, experiment_id=None, batch_id=None, variants=apart)
            return outside, RunInput(new_id(), control.name, values)
        # Where nothing was recorded, a unit is one of those that always get this variant.
        propensity = 1.0 if met.propensity is None else met.propensity
        name = self._name_of(met)
        return plan, RunInput(new_id(), name, values, unit, propensity=propensity)


def _bound(plan: Plan, begun: Started) -> Plan:
    variants = {
        name: replace(variant, variant_id=begun.variants[name])
        for name, variant in plan.variants.items()
    }
    return replace(plan, variants=variants, experiment_id=begun.id)


def _check_inputs(plan: Plan, given: Mapping[str, Json], *, extra: bool = False) -> None:
    steps = next(iter(plan.variants.values())).steps
    check_given(
        {step.key: step.config for step in steps if step.kind == "input"}, given, extra=extra
    )
