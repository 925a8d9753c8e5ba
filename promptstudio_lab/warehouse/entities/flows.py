"""Workflow libraries, flows, and the rows that are the living flow."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.templates import Library
from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    Shown,
    TableParts,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Document,
    Key,
    Moment,
    Number,
    OptionalKey,
    OptionalMoment,
    OptionalNumber,
    OptionalWords,
    Words,
)


class WorkflowLibrary(Library, Entity):
    """A place for flows."""

    __tablename__ = "workflow_library"


class PromptFlow(Shown, AuditableEntity, Entity):
    """A flow: its rows of nodes and edges are the head, its versions the history.

    `source` is the document that a notebook cell last built: an unchanged cell writes nothing.
    """

    __tablename__ = "prompt_flow"

    workflow_library_id: Mapped[Key]
    name: Mapped[Words]
    description: Mapped[OptionalWords]
    current_version: Mapped[Count] = mapped_column(default=0, server_default="0")
    head_seq: Mapped[Count] = mapped_column(default=0, server_default="0")
    source: Mapped[Document | None]

    @classmethod
    def parts(cls) -> TableParts:
        """Name flows once a library."""
        return (
            refers("workflow_library", "workflow_library_id"),
            unique_while_live("prompt_flow", "workflow_library_id", "name"),
        )


class PromptFlowVersion(Fact, Entity):
    """The canonical document of a flow at one sequence. It never changes."""

    __tablename__ = "prompt_flow_version"
    referred = False

    flow_id: Mapped[Key]
    version: Mapped[Count]
    at_seq: Mapped[Count]
    document: Mapped[Document]
    content_hash: Mapped[Words]

    @classmethod
    def parts(cls) -> TableParts:
        """Number versions within their flow."""
        return (
            refers("prompt_flow", "flow_id"),
            UniqueConstraint("organization_id", "flow_id", "version"),
        )


class FlowLabel(AuditableEntity, Entity):
    """A name for one version of a flow, such as `production`. It moves by the change log."""

    __tablename__ = "flow_label"
    referred = False

    flow_id: Mapped[Key]
    name: Mapped[Words]
    version: Mapped[Count]

    @classmethod
    def parts(cls) -> TableParts:
        """A label stands once a flow, on a version that exists."""
        version = ("organization_id", "flow_id", "version")
        return (
            refers("prompt_flow", "flow_id"),
            ForeignKeyConstraint(version, [f"prompt_flow_version.{name}" for name in version]),
            unique_while_live("flow_label", "flow_id", "name"),
        )


class FlowFork(AuditableEntity, Entity):
    """Which version of which flow another flow began as.

    `merged` holds what went back: the operation of each merge, and the places that it changed. What
    people wrote there lies in the log only, so that an erasure finds it.
    """

    __tablename__ = "flow_fork"
    referred = False

    flow_id: Mapped[Key]
    origin_flow_id: Mapped[Key]
    origin_version: Mapped[Count]
    merged: Mapped[Document | None]

    @classmethod
    def parts(cls) -> TableParts:
        """A flow has one origin, which is a version that exists."""
        origin = ("organization_id", "origin_flow_id", "origin_version")
        version = ("organization_id", "flow_id", "version")
        return (
            refers("prompt_flow", "flow_id"),
            ForeignKeyConstraint(origin, [f"prompt_flow_version.{name}" for name in version]),
            unique_while_live("flow_fork", "flow_id"),
        )


class FlowNode(AuditableEntity, Entity):
    """A box of a flow. Its key is its name in code, its id its identity."""

    __tablename__ = "flow_node"

    flow_id: Mapped[Key]
    parent_node_id: Mapped[OptionalKey]
    node_key: Mapped[Words]
    kind: Mapped[Words]
    kind_version: Mapped[Count]
    config: Mapped[Document]
    policy: Mapped[Document]
    position_x: Mapped[Number] = mapped_column(default=0.0, server_default="0")
    position_y: Mapped[Number] = mapped_column(default=0.0, server_default="0")
    width: Mapped[OptionalNumber]
    height: Mapped[OptionalNumber]
    color: Mapped[OptionalWords]
    icon: Mapped[OptionalWords]
    label: Mapped[OptionalWords]
    style: Mapped[OptionalWords]

    @classmethod
    def parts(cls) -> TableParts:
        """Keep nodes findable by their flow; their keys are kept unique by the operations."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("flow_node", "parent_node_id"),
            Index(None, "organization_id", "flow_id"),
        )


class FlowEdge(AuditableEntity, Entity):
    """A binding: what a port of one node gets from a port of another."""

    __tablename__ = "flow_edge"
    referred = False

    flow_id: Mapped[Key]
    source_node_id: Mapped[Key]
    source_port: Mapped[Words]
    source_path: Mapped[Words] = mapped_column(default="", server_default="")
    target_node_id: Mapped[Key]
    target_port: Mapped[Words]
    label: Mapped[OptionalWords]
    color: Mapped[OptionalWords]
    style: Mapped[OptionalWords]
    order_key: Mapped[Words] = mapped_column(default="", server_default="")

    @classmethod
    def parts(cls) -> TableParts:
        """An edge stands once and never binds a node to itself."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("flow_node", "source_node_id"),
            refers("flow_node", "target_node_id"),
            Index(None, "organization_id", "flow_id"),
            CheckConstraint("source_node_id <> target_node_id", name="two_nodes"),
        )


class WorkflowTemplateUsage(Fact, Entity):
    """Which version of which template a node uses, from when to when. Never deleted."""

    __tablename__ = "workflow_template_usage"
    referred = False

    flow_id: Mapped[Key]
    node_id: Mapped[Key]
    prompt_template_id: Mapped[Key]
    template_version: Mapped[Count]
    first_used_at: Mapped[Moment]
    removed_at: Mapped[OptionalMoment]

    @classmethod
    def parts(cls) -> TableParts:
        """One row a node, template and version, so that joins never multiply cost."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("flow_node", "node_id"),
            refers("prompt_template", "prompt_template_id"),
            UniqueConstraint(
                "organization_id",
                "node_id",
                "prompt_template_id",
                "template_version",
                name="ux_workflow_template_usage_node_id_template",
            ),
            Index(
                "ix_workflow_template_usage_template_id_version",
                "prompt_template_id",
                "template_version",
            ),
        )
