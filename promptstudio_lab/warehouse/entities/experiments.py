"""Experiments: what was compared, on whom, with which variants."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    TableParts,
    one_of,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Document,
    Flag,
    Key,
    Moment,
    Number,
    OptionalKey,
    OptionalMoment,
    OptionalNumber,
    Words,
)


class Experiment(AuditableEntity, Entity):
    """A comparison with its plan, frozen and hashed when it starts.

    `coverage` is the share of the units that take part, which may be raised later: that moves no
    unit. `plan_payload_id` is what an online experiment runs, pinned when it started.
    """

    __tablename__ = "experiment"

    flow_id: Mapped[Key]
    dataset_id: Mapped[OptionalKey]
    name: Mapped[Words]
    plan: Mapped[Document]
    plan_hash: Mapped[Words]
    status: Mapped[Words]
    started_at: Mapped[OptionalMoment]
    ended_at: Mapped[OptionalMoment]
    coverage: Mapped[Number] = mapped_column(default=1.0, server_default="1")
    plan_payload_id: Mapped[OptionalKey]

    @classmethod
    def parts(cls) -> TableParts:
        """Name experiments once a flow."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("dataset", "dataset_id"),
            one_of("status", "draft", "running", "completed", "cancelled"),
            unique_while_live("experiment", "flow_id", "name"),
        )


class FlowVariant(AuditableEntity, Entity):
    """A variant: patches over the base flow, at any nodes."""

    __tablename__ = "flow_variant"

    flow_id: Mapped[Key]
    experiment_id: Mapped[OptionalKey]
    name: Mapped[Words]
    flow_version: Mapped[Count]
    is_control: Mapped[Flag]
    patch: Mapped[Document]
    traffic_weight: Mapped[Number] = mapped_column(default=1.0, server_default="1")

    @classmethod
    def parts(cls) -> TableParts:
        """Name variants once an experiment."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("experiment", "experiment_id"),
            unique_while_live("flow_variant", "experiment_id", "name"),
        )


class ExperimentExposure(Fact, Entity):
    """A unit met a variant. Offline every item meets every variant, once each.

    Online a unit keeps the variant that it met first; `multi` marks every exposure of a unit that
    met a second one all the same. `propensity` is the probability of the variant when it was
    drawn; offline nothing is drawn.
    """

    __tablename__ = "experiment_exposure"
    referred = False

    experiment_id: Mapped[Key]
    variant_id: Mapped[Key]
    unit_key: Mapped[Words]
    exposed_at: Mapped[Moment]
    propensity: Mapped[OptionalNumber]
    multi: Mapped[Flag] = mapped_column(default=False, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """One row a unit and variant."""
        return (
            refers("experiment", "experiment_id"),
            refers("flow_variant", "variant_id"),
            UniqueConstraint("organization_id", "experiment_id", "unit_key", "variant_id"),
            Index(
                "ix_experiment_exposure_multi",
                "experiment_id",
                "unit_key",
                sqlite_where=text("multi"),
                postgresql_where=text("multi"),
            ),
        )


class ExperimentUnit(Fact, Entity):
    """What a unit's finished runs under one variant add up to: reports read this, and no run.

    A run is added when it is finished and taken off again when it goes on, each in that very
    transaction. A measure that some run lacks has a count of its own, so `cost / cost_runs` is
    the unit's mean cost. `id` is the first run's.
    """

    __tablename__ = "experiment_unit"
    referred = False

    experiment_id: Mapped[Key]
    variant_id: Mapped[Key]
    unit_key: Mapped[Words]
    runs: Mapped[Count]
    simulated_runs: Mapped[Count]
    success_runs: Mapped[Count]
    success: Mapped[Count]
    cost_runs: Mapped[Count]
    cost: Mapped[Count]
    latency_runs: Mapped[Count]
    latency_ms: Mapped[Number]
    quality_runs: Mapped[Count]
    quality: Mapped[Number]
    input_runs: Mapped[Count]
    input_tokens: Mapped[Count]
    output_runs: Mapped[Count]
    output_tokens: Mapped[Count]

    @classmethod
    def parts(cls) -> TableParts:
        """One row a unit and variant."""
        return (
            refers("experiment", "experiment_id"),
            refers("flow_variant", "variant_id"),
            Index(
                "ux_experiment_unit_unit",
                *("organization_id", "experiment_id", "variant_id", "unit_key"),
                unique=True,
            ),
        )


class ExperimentFold(Fact, Entity):
    """Runs that were added to their units, or taken off them again, in one transaction.

    Whoever has read an experiment's units learns from later marks which of them have changed.
    """

    __tablename__ = "experiment_fold"
    referred = False

    experiment_id: Mapped[Key]
    mark: Mapped[Count]
    runs: Mapped[Count]
    run_ids: Mapped[Document]

    @classmethod
    def parts(cls) -> TableParts:
        """Answer what came after a mark."""
        return (
            refers("experiment", "experiment_id"),
            Index("ix_experiment_fold_mark", "experiment_id", "mark"),
        )


class ExperimentAnalysis(Fact, Entity):
    """What one look at an experiment found about one metric of one treatment.

    A look is a state of the data that somebody saw: looking twice at the same numbers is one look.
    `asked` is shared by what one report said. A number that does not exist is NULL. `information`
    is the share of the planned units at a look that the plan allowed, and NULL at any other.
    """

    __tablename__ = "experiment_analysis"
    referred = False

    experiment_id: Mapped[Key]
    variant_id: Mapped[Key]
    plan_hash: Mapped[Words]
    state: Mapped[Words]
    asked: Mapped[Words]
    look: Mapped[Count]
    method: Mapped[Words]
    metric: Mapped[Words]
    role: Mapped[Words]
    unit: Mapped[Words]
    n: Mapped[Count]
    control: Mapped[OptionalNumber]
    treatment: Mapped[OptionalNumber]
    estimate: Mapped[OptionalNumber]
    low: Mapped[OptionalNumber]
    high: Mapped[OptionalNumber]
    relative: Mapped[OptionalNumber]
    relative_low: Mapped[OptionalNumber]
    relative_high: Mapped[OptionalNumber]
    se: Mapped[OptionalNumber]
    p_value: Mapped[OptionalNumber]
    p_adjusted: Mapped[OptionalNumber]
    alpha: Mapped[Number]
    verdict: Mapped[Words]
    decision: Mapped[Words]
    simulated: Mapped[Flag]
    made_with: Mapped[Words]
    information: Mapped[OptionalNumber]

    @classmethod
    def parts(cls) -> TableParts:
        """Find an experiment's looks in their order."""
        return (
            refers("experiment", "experiment_id"),
            refers("flow_variant", "variant_id"),
            one_of("role", "goal", "cost", "guardrail"),
            one_of("decision", "ship", "hold", "stop", "keep_running", "invalid"),
            Index("ix_experiment_analysis_look", "experiment_id", "look"),
        )
