"""The schema: one class a table, one file an aggregate."""

from __future__ import annotations

from promptstudio_lab.warehouse.entities.changes import ChangeLog
from promptstudio_lab.warehouse.entities.datasets import Dataset, DatasetItem
from promptstudio_lab.warehouse.entities.executions import (
    ExecutionMetric,
    FlowExecution,
    NodeAttempt,
    NodeExecution,
    PromptExecution,
)
from promptstudio_lab.warehouse.entities.experiments import (
    Experiment,
    ExperimentAnalysis,
    ExperimentExposure,
    ExperimentFold,
    ExperimentUnit,
    FlowVariant,
)
from promptstudio_lab.warehouse.entities.flows import (
    FlowEdge,
    FlowFork,
    FlowLabel,
    FlowNode,
    PromptFlow,
    PromptFlowVersion,
    WorkflowLibrary,
    WorkflowTemplateUsage,
)
from promptstudio_lab.warehouse.entities.organizations import (
    ColdPartition,
    Membership,
    Organization,
    Payload,
    PromptLab,
    RetentionPolicy,
    SubjectKey,
    WarehouseInfo,
)
from promptstudio_lab.warehouse.entities.sharing import (
    Pin,
    PromptLibraryPermission,
    Tag,
    WorkflowLibraryPermission,
)
from promptstudio_lab.warehouse.entities.templates import (
    PromptLibrary,
    PromptTemplate,
    PromptTemplateVersion,
    TemplateLabel,
)
from promptstudio_lab.warehouse.entities.tenancy import Entity

__all__ = [
    "ChangeLog",
    "ColdPartition",
    "Dataset",
    "DatasetItem",
    "Entity",
    "ExecutionMetric",
    "Experiment",
    "ExperimentAnalysis",
    "ExperimentExposure",
    "ExperimentFold",
    "ExperimentUnit",
    "FlowEdge",
    "FlowExecution",
    "FlowFork",
    "FlowLabel",
    "FlowNode",
    "FlowVariant",
    "Membership",
    "NodeAttempt",
    "NodeExecution",
    "Organization",
    "Payload",
    "Pin",
    "PromptExecution",
    "PromptFlow",
    "PromptFlowVersion",
    "PromptLab",
    "PromptLibrary",
    "PromptLibraryPermission",
    "PromptTemplate",
    "PromptTemplateVersion",
    "RetentionPolicy",
    "SubjectKey",
    "Tag",
    "TemplateLabel",
    "WarehouseInfo",
    "WorkflowLibrary",
    "WorkflowLibraryPermission",
    "WorkflowTemplateUsage",
]
