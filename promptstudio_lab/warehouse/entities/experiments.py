"""Experiments: what was compared, on whom, with which variants."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
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
    Words,
)


class Experiment(AuditableEntity, Entity):
    """A comparison with its plan, frozen and hashed when it starts."""

    __tablename__ = "experiment"

    flow_id: Mapped[Key]
    dataset_id: Mapped[OptionalKey]
    name: Mapped[Words]
    plan: Mapped[Document]
    plan_hash: Mapped[Words]
    status: Mapped[Words]
    started_at: Mapped[OptionalMoment]
    ended_at: Mapped[OptionalMoment]

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
    """A unit met a variant. Offline every item meets every variant, once each."""

    __tablename__ = "experiment_exposure"
    referred = False

    experiment_id: Mapped[Key]
    variant_id: Mapped[Key]
    unit_key: Mapped[Words]
    exposed_at: Mapped[Moment]
    exposure_count: Mapped[Count] = mapped_column(default=1, server_default="1")

    @classmethod
    def parts(cls) -> TableParts:
        """One row a unit and variant."""
        return (
            refers("experiment", "experiment_id"),
            refers("flow_variant", "variant_id"),
            UniqueConstraint("organization_id", "experiment_id", "unit_key", "variant_id"),
        )
