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
    ExperimentExposure,
    FlowVariant,
)
from promptstudio_lab.warehouse.entities.flows import (
    FlowEdge,
    FlowNode,
    PromptFlow,
    PromptFlowVersion,
    WorkflowLibrary,
    WorkflowTemplateUsage,
)
from promptstudio_lab.warehouse.entities.organizations import (
    Organization,
    Payload,
    PromptLab,
    SubjectKey,
    WarehouseInfo,
)
from promptstudio_lab.warehouse.entities.templates import (
    PromptLibrary,
    PromptTemplate,
    PromptTemplateVersion,
)
from promptstudio_lab.warehouse.entities.tenancy import Entity

__all__ = [
    "ChangeLog",
    "Dataset",
    "DatasetItem",
    "Entity",
    "ExecutionMetric",
    "Experiment",
    "ExperimentExposure",
    "FlowEdge",
    "FlowExecution",
    "FlowNode",
    "FlowVariant",
    "NodeAttempt",
    "NodeExecution",
    "Organization",
    "Payload",
    "PromptExecution",
    "PromptFlow",
    "PromptFlowVersion",
    "PromptLab",
    "PromptLibrary",
    "PromptTemplate",
    "PromptTemplateVersion",
    "SubjectKey",
    "WarehouseInfo",
    "WorkflowLibrary",
    "WorkflowTemplateUsage",
]
