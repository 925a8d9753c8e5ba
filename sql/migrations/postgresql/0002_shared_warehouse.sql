-- Partitions by month, permissions, labels, tags, pins, retention, and how things look.

CREATE TABLE retention_policy (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    name TEXT NOT NULL,
    keep_days BIGINT NOT NULL,
    action TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_retention_policy PRIMARY KEY (id),
    CONSTRAINT ux_retention_policy_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_retention_policy_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_retention_policy_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_retention_policy_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT ck_retention_policy_action CHECK (action IN ('archive', 'anonymise', 'delete')),
    CONSTRAINT ck_retention_policy_not_negative CHECK (keep_days >= 0)
);

CREATE TABLE cold_partition (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    table_name TEXT NOT NULL,
    month TEXT NOT NULL,
    location TEXT NOT NULL,
    row_count BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    total_cost BIGINT,
    digest TEXT NOT NULL,
    experiment_ids JSON,
    restored_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_cold_partition PRIMARY KEY (id),
    CONSTRAINT fk_cold_partition_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_cold_partition_not_negative CHECK (row_count >= 0 AND byte_count >= 0)
);

CREATE TABLE membership (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    login TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_membership PRIMARY KEY (id),
    CONSTRAINT fk_membership_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_membership_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_membership_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT ck_membership_role CHECK (role IN ('viewer', 'analyst', 'admin'))
);

CREATE TABLE prompt_library_permission (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    library_id UUID NOT NULL,
    principal_kind TEXT NOT NULL,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_library_permission PRIMARY KEY (id),
    CONSTRAINT fk_prompt_library_permission_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_library_permission_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_library_permission_organization_id_retention__5a64 FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_library_permission_organization_id_library_id FOREIGN KEY(organization_id, library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT ck_prompt_library_permission_principal_kind CHECK (principal_kind IN ('user', 'role')),
    CONSTRAINT ck_prompt_library_permission_permission CHECK (permission IN ('view', 'run', 'edit', 'manage'))
);

CREATE TABLE workflow_library_permission (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    library_id UUID NOT NULL,
    principal_kind TEXT NOT NULL,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_workflow_library_permission PRIMARY KEY (id),
    CONSTRAINT fk_workflow_library_permission_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_workflow_library_permission_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_workflow_library_permission_organization_id_retentio_1886 FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_workflow_library_permission_organization_id_library_id FOREIGN KEY(organization_id, library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT ck_workflow_library_permission_principal_kind CHECK (principal_kind IN ('user', 'role')),
    CONSTRAINT ck_workflow_library_permission_permission CHECK (permission IN ('view', 'run', 'edit', 'manage'))
);

CREATE TABLE tag (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    name TEXT NOT NULL,
    prompt_library_id UUID,
    workflow_library_id UUID,
    prompt_template_id UUID,
    prompt_flow_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (id),
    CONSTRAINT fk_tag_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_tag_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_tag_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_tag_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_flow_id FOREIGN KEY(organization_id, prompt_flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_tag_one_target CHECK (CASE WHEN prompt_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN workflow_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_template_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_flow_id IS NULL THEN 0 ELSE 1 END = 1)
);

CREATE TABLE pin (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    pinned_for TEXT DEFAULT '' NOT NULL,
    prompt_library_id UUID,
    workflow_library_id UUID,
    prompt_template_id UUID,
    prompt_flow_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_pin PRIMARY KEY (id),
    CONSTRAINT fk_pin_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_pin_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_pin_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_pin_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_flow_id FOREIGN KEY(organization_id, prompt_flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_pin_one_target CHECK (CASE WHEN prompt_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN workflow_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_template_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_flow_id IS NULL THEN 0 ELSE 1 END = 1)
);

CREATE TABLE template_label (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_template_id UUID NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE,
    updated_by TEXT,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by TEXT,
    row_version BIGINT DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data BOOLEAN DEFAULT '0' NOT NULL,
    retention_policy_id UUID,
    legal_hold BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT pk_template_label PRIMARY KEY (id),
    CONSTRAINT fk_template_label_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_template_label_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_template_label_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_template_label_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_template_label_organization_id_prompt_template_id_version FOREIGN KEY(organization_id, prompt_template_id, version) REFERENCES prompt_template_version (organization_id, prompt_template_id, version)
);

ALTER TABLE warehouse_info ADD COLUMN readable_from TEXT DEFAULT '0002' NOT NULL;

ALTER TABLE prompt_lab ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_lab ADD COLUMN retention_policy_id UUID;

ALTER TABLE prompt_lab ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_lab ADD CONSTRAINT fk_prompt_lab_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE dataset ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE dataset ADD COLUMN retention_policy_id UUID;

ALTER TABLE dataset ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE dataset ADD CONSTRAINT fk_dataset_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE prompt_library ADD COLUMN color TEXT;

ALTER TABLE prompt_library ADD COLUMN icon TEXT;

ALTER TABLE prompt_library ADD COLUMN category TEXT;

ALTER TABLE prompt_library ADD COLUMN order_key TEXT DEFAULT '' NOT NULL;

ALTER TABLE prompt_library ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_library ADD COLUMN retention_policy_id UUID;

ALTER TABLE prompt_library ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_library DROP COLUMN sort_order;

ALTER TABLE prompt_library ADD CONSTRAINT fk_prompt_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE workflow_library ADD COLUMN color TEXT;

ALTER TABLE workflow_library ADD COLUMN icon TEXT;

ALTER TABLE workflow_library ADD COLUMN category TEXT;

ALTER TABLE workflow_library ADD COLUMN order_key TEXT DEFAULT '' NOT NULL;

ALTER TABLE workflow_library ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE workflow_library ADD COLUMN retention_policy_id UUID;

ALTER TABLE workflow_library ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE workflow_library DROP COLUMN sort_order;

ALTER TABLE workflow_library ADD CONSTRAINT fk_workflow_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE prompt_flow ADD COLUMN color TEXT;

ALTER TABLE prompt_flow ADD COLUMN icon TEXT;

ALTER TABLE prompt_flow ADD COLUMN category TEXT;

ALTER TABLE prompt_flow ADD COLUMN order_key TEXT DEFAULT '' NOT NULL;

ALTER TABLE prompt_flow ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_flow ADD COLUMN retention_policy_id UUID;

ALTER TABLE prompt_flow ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_flow ADD CONSTRAINT fk_prompt_flow_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE experiment ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE experiment ADD COLUMN retention_policy_id UUID;

ALTER TABLE experiment ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE experiment ADD CONSTRAINT fk_experiment_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE prompt_template ADD COLUMN color TEXT;

ALTER TABLE prompt_template ADD COLUMN icon TEXT;

ALTER TABLE prompt_template ADD COLUMN category TEXT;

ALTER TABLE prompt_template ADD COLUMN order_key TEXT DEFAULT '' NOT NULL;

ALTER TABLE prompt_template ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_template ADD COLUMN retention_policy_id UUID;

ALTER TABLE prompt_template ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE prompt_template ADD CONSTRAINT fk_prompt_template_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE flow_node ADD COLUMN width FLOAT;

ALTER TABLE flow_node ADD COLUMN height FLOAT;

ALTER TABLE flow_node ADD COLUMN color TEXT;

ALTER TABLE flow_node ADD COLUMN icon TEXT;

ALTER TABLE flow_node ADD COLUMN label TEXT;

ALTER TABLE flow_node ADD COLUMN style TEXT;

ALTER TABLE flow_node ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_node ADD COLUMN retention_policy_id UUID;

ALTER TABLE flow_node ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_node ADD CONSTRAINT fk_flow_node_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE flow_variant ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_variant ADD COLUMN retention_policy_id UUID;

ALTER TABLE flow_variant ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_variant ADD CONSTRAINT fk_flow_variant_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

ALTER TABLE flow_edge ADD COLUMN label TEXT;

ALTER TABLE flow_edge ADD COLUMN color TEXT;

ALTER TABLE flow_edge ADD COLUMN style TEXT;

ALTER TABLE flow_edge ADD COLUMN order_key TEXT DEFAULT '' NOT NULL;

ALTER TABLE flow_edge ADD COLUMN personal_data BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_edge ADD COLUMN retention_policy_id UUID;

ALTER TABLE flow_edge ADD COLUMN legal_hold BOOLEAN DEFAULT '0' NOT NULL;

ALTER TABLE flow_edge ADD CONSTRAINT fk_flow_edge_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id);

CREATE TABLE old_flow_execution AS TABLE flow_execution;

CREATE TABLE old_node_execution AS TABLE node_execution;

CREATE TABLE old_node_attempt AS TABLE node_attempt;

CREATE TABLE old_execution_metric AS TABLE execution_metric;

CREATE TABLE old_prompt_execution AS TABLE prompt_execution;

ALTER TABLE node_execution DROP CONSTRAINT fk_node_execution_organization_id_prompt_execution_id;

DROP TABLE execution_metric;

DROP TABLE prompt_execution;

DROP TABLE node_attempt;

DROP TABLE node_execution;

DROP TABLE flow_execution;

CREATE TABLE flow_execution (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    flow_version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL,
    variant_id UUID,
    experiment_id UUID,
    dataset_item_id UUID,
    batch_id UUID,
    unit_key TEXT,
    requested_by TEXT NOT NULL,
    executed_by TEXT NOT NULL,
    trigger TEXT NOT NULL,
    origin TEXT,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    execution_time_ms FLOAT,
    total_cost BIGINT,
    total_input_tokens BIGINT,
    total_output_tokens BIGINT,
    success BOOLEAN,
    quality FLOAT,
    simulated BOOLEAN DEFAULT '0' NOT NULL,
    input_payload_id UUID,
    output_payload_id UUID,
    error_code TEXT,
    error_payload_id UUID,
    lease_owner TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    lease_epoch BIGINT DEFAULT '1' NOT NULL,
    plan_payload_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_flow_execution PRIMARY KEY (id),
    CONSTRAINT ux_flow_execution_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_flow_execution_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_flow_execution_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_execution_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id),
    CONSTRAINT fk_flow_execution_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_flow_execution_organization_id_dataset_item_id FOREIGN KEY(organization_id, dataset_item_id) REFERENCES dataset_item (organization_id, id),
    CONSTRAINT ck_flow_execution_status CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted', 'partial', 'waiting')),
    CONSTRAINT ck_flow_execution_trigger CHECK (trigger IN ('cell', 'tab', 'schedule', 'cli', 'assistant'))
)
 PARTITION BY RANGE (id);

CREATE TABLE node_execution (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_execution_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    flow_version BIGINT NOT NULL,
    node_id UUID NOT NULL,
    node_key TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    execution_time_ms FLOAT NOT NULL,
    cost BIGINT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    cache_hit BOOLEAN DEFAULT '0' NOT NULL,
    attempt_count BIGINT NOT NULL,
    prompt_template_id UUID,
    template_version BIGINT,
    prompt_execution_id UUID,
    input_payload_id UUID,
    output_payload_id UUID,
    error_code TEXT,
    error_payload_id UUID,
    cache_key TEXT,
    saved_cost BIGINT,
    original_node_execution_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_node_execution PRIMARY KEY (id),
    CONSTRAINT ux_node_execution_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_node_execution_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id_node_id FOREIGN KEY(organization_id, node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ck_node_execution_status CHECK (status IN ('succeeded', 'failed', 'skipped', 'cancelled'))
)
 PARTITION BY RANGE (id);

CREATE TABLE node_attempt (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_execution_id UUID NOT NULL,
    node_execution_id UUID NOT NULL,
    node_id UUID NOT NULL,
    attempt BIGINT NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    error_code TEXT,
    lease_epoch BIGINT NOT NULL,
    node_key TEXT,
    path TEXT,
    question_payload_id UUID,
    answer_payload_id UUID,
    answered_by TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_node_attempt PRIMARY KEY (id),
    CONSTRAINT fk_node_attempt_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_node_attempt_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT ck_node_attempt_status CHECK (status IN ('started', 'succeeded', 'failed', 'unknown', 'waiting'))
)
 PARTITION BY RANGE (id);

CREATE TABLE execution_metric (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_execution_id UUID NOT NULL,
    node_execution_id UUID,
    metric_name TEXT NOT NULL,
    metric_value FLOAT NOT NULL,
    metric_unit TEXT,
    metric_timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    dimensions JSON,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_execution_metric PRIMARY KEY (id),
    CONSTRAINT fk_execution_metric_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_execution_metric_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id)
)
 PARTITION BY RANGE (id);

CREATE TABLE prompt_execution (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_execution_id UUID NOT NULL,
    node_execution_id UUID NOT NULL,
    call_index BIGINT NOT NULL,
    prompt_template_id UUID NOT NULL,
    template_version BIGINT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    finish_reason TEXT,
    error_code TEXT,
    input_tokens BIGINT,
    cached_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    cost BIGINT,
    price_source TEXT,
    latency_ms FLOAT,
    first_token_ms FLOAT,
    request_payload_id UUID,
    response_payload_id UUID,
    provider_request_id TEXT,
    original_prompt_execution_id UUID,
    simulated BOOLEAN DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_execution PRIMARY KEY (id),
    CONSTRAINT fk_prompt_execution_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_execution_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT fk_prompt_execution_organization_id_node_execution_id FOREIGN KEY(organization_id, node_execution_id) REFERENCES node_execution (organization_id, id),
    CONSTRAINT fk_prompt_execution_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ck_prompt_execution_status CHECK (status IN ('succeeded', 'failed')),
    CONSTRAINT ck_prompt_execution_not_negative CHECK (input_tokens >= 0 AND cached_tokens >= 0 AND output_tokens >= 0 AND reasoning_tokens >= 0)
)
 PARTITION BY RANGE (id);

SELECT promptstudio_make_partitions(month) FROM (SELECT DISTINCT date_trunc('month', promptstudio_time_of(id), 'UTC') AS month FROM old_flow_execution) AS months;

INSERT INTO flow_execution (
    id, organization_id, flow_id, flow_version, change_seq, variant_id, experiment_id,
    dataset_item_id, batch_id, unit_key, requested_by, executed_by, trigger, origin, status,
    started_at, completed_at, execution_time_ms, total_cost, total_input_tokens,
    total_output_tokens, success, quality, simulated, input_payload_id, output_payload_id,
    error_code, error_payload_id, lease_owner, lease_until, lease_epoch, created_at, created_by
)
SELECT
    id, organization_id, flow_id, flow_version, change_seq, variant_id, experiment_id,
    dataset_item_id, batch_id, unit_key, requested_by, executed_by, trigger, origin, status,
    started_at, completed_at, execution_time_ms, total_cost, total_input_tokens,
    total_output_tokens, success, quality, simulated, input_payload_id, output_payload_id,
    error_code, error_payload_id, lease_owner, lease_until, lease_epoch,
    promptstudio_time_of(id), created_by
FROM old_flow_execution;

INSERT INTO node_execution (
    id, organization_id, flow_execution_id, flow_id, flow_version, node_id, node_key, path,
    status, started_at, completed_at, execution_time_ms, cost, input_tokens, output_tokens,
    cache_hit, attempt_count, prompt_template_id, template_version, prompt_execution_id,
    input_payload_id, output_payload_id, error_code, error_payload_id, created_at, created_by
)
SELECT
    id, organization_id, flow_execution_id, flow_id, flow_version, node_id, node_key, path,
    status, started_at, completed_at, execution_time_ms, cost, input_tokens, output_tokens,
    cache_hit, attempt_count, prompt_template_id, template_version, prompt_execution_id,
    input_payload_id, output_payload_id, error_code, error_payload_id, promptstudio_time_of(id),
    created_by
FROM old_node_execution;

INSERT INTO node_attempt (
    id, organization_id, flow_execution_id, node_execution_id, node_id, attempt, status,
    started_at, completed_at, error_code, lease_epoch, created_at, created_by
)
SELECT
    id, organization_id, flow_execution_id, node_execution_id, node_id, attempt, status,
    started_at, completed_at, error_code, lease_epoch, promptstudio_time_of(id), created_by
FROM old_node_attempt;

INSERT INTO prompt_execution (
    id, organization_id, flow_execution_id, node_execution_id, call_index, prompt_template_id,
    template_version, provider, model, status, finish_reason, error_code, input_tokens,
    cached_tokens, output_tokens, reasoning_tokens, cost, price_source, latency_ms,
    first_token_ms, request_payload_id, response_payload_id, provider_request_id,
    original_prompt_execution_id, simulated, created_at, created_by
)
SELECT
    id, organization_id, flow_execution_id, node_execution_id, call_index, prompt_template_id,
    template_version, provider, model, status, finish_reason, error_code, input_tokens,
    cached_tokens, output_tokens, reasoning_tokens, cost, price_source, latency_ms,
    first_token_ms, request_payload_id, response_payload_id, provider_request_id,
    original_prompt_execution_id, simulated, promptstudio_time_of(id), created_by
FROM old_prompt_execution;

INSERT INTO execution_metric (
    id, organization_id, flow_execution_id, node_execution_id, metric_name, metric_value,
    metric_unit, metric_timestamp, dimensions, created_at, created_by
)
SELECT
    id, organization_id, flow_execution_id, node_execution_id, metric_name, metric_value,
    metric_unit, metric_timestamp, dimensions, promptstudio_time_of(id), created_by
FROM old_execution_metric;

DROP TABLE old_flow_execution;

DROP TABLE old_node_execution;

DROP TABLE old_node_attempt;

DROP TABLE old_execution_metric;

DROP TABLE old_prompt_execution;

CREATE UNIQUE INDEX ux_retention_policy_name_live ON retention_policy (organization_id, name) WHERE deleted_at IS NULL;

CREATE INDEX ix_cold_partition_organization_id_table_name_month ON cold_partition (organization_id, table_name, month);

CREATE UNIQUE INDEX ux_membership_login_live ON membership (organization_id, login) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_prompt_library_permission_principal_live ON prompt_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_workflow_library_permission_principal_live ON workflow_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_flow_id_name_live ON tag (organization_id, prompt_flow_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_library_id_name_live ON tag (organization_id, prompt_library_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_template_id_name_live ON tag (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_workflow_library_id_name_live ON tag (organization_id, workflow_library_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_flow_id_pinned_for_live ON pin (organization_id, prompt_flow_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_library_id_pinned_for_live ON pin (organization_id, prompt_library_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_template_id_pinned_for_live ON pin (organization_id, prompt_template_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_workflow_library_id_pinned_for_live ON pin (organization_id, workflow_library_id, pinned_for) WHERE deleted_at IS NULL;

CREATE INDEX ix_flow_execution_batch_id ON flow_execution (batch_id);

CREATE INDEX ix_flow_execution_created_at_cost ON flow_execution (created_at, total_cost);

CREATE INDEX ix_flow_execution_experiment_id ON flow_execution (experiment_id, variant_id);

CREATE INDEX ix_flow_execution_flow_id_status ON flow_execution (flow_id, status);

CREATE UNIQUE INDEX ux_template_label_prompt_template_id_name_live ON template_label (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

CREATE INDEX ix_node_execution_cache_key ON node_execution (cache_key) WHERE cache_key IS NOT NULL;

CREATE INDEX ix_node_execution_created_at ON node_execution USING brin (created_at);

CREATE INDEX ix_node_execution_flow_execution_id ON node_execution (flow_execution_id);

CREATE INDEX ix_node_execution_node_id_performance ON node_execution (node_id, execution_time_ms, cost);

CREATE INDEX ix_node_execution_template_id_version ON node_execution (prompt_template_id, template_version);

CREATE INDEX ix_node_attempt_flow_execution_id ON node_attempt (flow_execution_id);

CREATE INDEX ix_node_attempt_node_execution_id ON node_attempt (node_execution_id, attempt);

CREATE INDEX ix_execution_metric_flow_execution_id ON execution_metric (flow_execution_id);

CREATE INDEX ix_execution_metric_name_timestamp ON execution_metric (metric_name, metric_timestamp);

CREATE INDEX ix_prompt_execution_node_execution_id ON prompt_execution (node_execution_id, call_index);

CREATE INDEX ix_prompt_execution_template_id_version ON prompt_execution (prompt_template_id, template_version);
