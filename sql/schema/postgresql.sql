CREATE TABLE warehouse_info (
    id UUID NOT NULL,
    single BIGINT NOT NULL,
    readable_from TEXT DEFAULT '0002' NOT NULL,
    CONSTRAINT pk_warehouse_info PRIMARY KEY (id),
    CONSTRAINT ux_warehouse_info_single UNIQUE (single),
    CONSTRAINT ck_warehouse_info_single CHECK (single = 1)
);

CREATE TABLE organization (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    payload_key TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_organization PRIMARY KEY (id),
    CONSTRAINT ux_organization_slug UNIQUE (slug)
);

CREATE TABLE change_log (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    stream_type TEXT NOT NULL,
    stream_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    op_id UUID NOT NULL,
    op_type TEXT NOT NULL,
    base_seq BIGINT NOT NULL,
    patch JSON NOT NULL,
    inverse JSON NOT NULL,
    status TEXT NOT NULL,
    conflicts JSON,
    undo_of_seq BIGINT,
    batch_id UUID,
    actor_id TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    client_id TEXT,
    hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_change_log PRIMARY KEY (id),
    CONSTRAINT fk_change_log_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ux_change_log_organization_id_stream_id_seq UNIQUE (organization_id, stream_id, seq),
    CONSTRAINT ux_change_log_organization_id_op_id UNIQUE (organization_id, op_id),
    CONSTRAINT ck_change_log_stream_type CHECK (stream_type IN ('flow', 'lab')),
    CONSTRAINT ck_change_log_status CHECK (status IN ('applied', 'superseded'))
);

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

CREATE UNIQUE INDEX ux_retention_policy_name_live ON retention_policy (organization_id, name) WHERE deleted_at IS NULL;

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

CREATE INDEX ix_cold_partition_organization_id_table_name_month ON cold_partition (organization_id, table_name, month);

CREATE TABLE subject_key (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    subject_ref TEXT NOT NULL,
    wrapped_key TEXT,
    destroyed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_subject_key PRIMARY KEY (id),
    CONSTRAINT ux_subject_key_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_subject_key_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ux_subject_key_organization_id_subject_ref UNIQUE (organization_id, subject_ref)
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

CREATE UNIQUE INDEX ux_membership_login_live ON membership (organization_id, login) WHERE deleted_at IS NULL;

CREATE TABLE prompt_lab (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    head_seq BIGINT DEFAULT '0' NOT NULL,
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
    CONSTRAINT pk_prompt_lab PRIMARY KEY (id),
    CONSTRAINT ux_prompt_lab_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_lab_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_lab_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_lab_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id)
);

CREATE UNIQUE INDEX ux_prompt_lab_name_live ON prompt_lab (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE payload (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    body TEXT NOT NULL,
    byte_count BIGINT NOT NULL,
    subject_key_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_payload PRIMARY KEY (id),
    CONSTRAINT fk_payload_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_payload_organization_id_subject_key_id FOREIGN KEY(organization_id, subject_key_id) REFERENCES subject_key (organization_id, id)
);

CREATE TABLE dataset (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_lab_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    current_version BIGINT DEFAULT '0' NOT NULL,
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
    CONSTRAINT pk_dataset PRIMARY KEY (id),
    CONSTRAINT ux_dataset_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_dataset_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_dataset_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_dataset_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_dataset_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id)
);

CREATE UNIQUE INDEX ux_dataset_prompt_lab_id_name_live ON dataset (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_library (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_lab_id UUID NOT NULL,
    parent_id UUID,
    name TEXT NOT NULL,
    description TEXT,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
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
    CONSTRAINT pk_prompt_library PRIMARY KEY (id),
    CONSTRAINT ux_prompt_library_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_library_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id_parent_id FOREIGN KEY(organization_id, parent_id) REFERENCES prompt_library (organization_id, id)
);

CREATE UNIQUE INDEX ux_prompt_library_prompt_lab_id_name_root ON prompt_library (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL AND parent_id IS NULL;

CREATE UNIQUE INDEX ux_prompt_library_prompt_lab_id_parent_id_name_live ON prompt_library (organization_id, prompt_lab_id, parent_id, name) WHERE deleted_at IS NULL;

CREATE TABLE workflow_library (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_lab_id UUID NOT NULL,
    parent_id UUID,
    name TEXT NOT NULL,
    description TEXT,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
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
    CONSTRAINT pk_workflow_library PRIMARY KEY (id),
    CONSTRAINT ux_workflow_library_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_workflow_library_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_workflow_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id_parent_id FOREIGN KEY(organization_id, parent_id) REFERENCES workflow_library (organization_id, id)
);

CREATE UNIQUE INDEX ux_workflow_library_prompt_lab_id_name_root ON workflow_library (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL AND parent_id IS NULL;

CREATE UNIQUE INDEX ux_workflow_library_prompt_lab_id_parent_id_name_live ON workflow_library (organization_id, prompt_lab_id, parent_id, name) WHERE deleted_at IS NULL;

CREATE TABLE dataset_item (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    dataset_id UUID NOT NULL,
    item_key TEXT NOT NULL,
    position BIGINT NOT NULL,
    content_payload_id UUID NOT NULL,
    added_in_version BIGINT NOT NULL,
    removed_in_version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_dataset_item PRIMARY KEY (id),
    CONSTRAINT ux_dataset_item_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_dataset_item_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_dataset_item_organization_id_dataset_id FOREIGN KEY(organization_id, dataset_id) REFERENCES dataset (organization_id, id),
    CONSTRAINT ux_dataset_item_organization_id_dataset_id_item_key_add_9609 UNIQUE (organization_id, dataset_id, item_key, added_in_version)
);

CREATE TABLE prompt_flow (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    workflow_library_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    current_version BIGINT DEFAULT '0' NOT NULL,
    head_seq BIGINT DEFAULT '0' NOT NULL,
    source JSON,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
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
    CONSTRAINT pk_prompt_flow PRIMARY KEY (id),
    CONSTRAINT ux_prompt_flow_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_flow_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_flow_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_flow_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_flow_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id)
);

CREATE UNIQUE INDEX ux_prompt_flow_workflow_library_id_name_live ON prompt_flow (organization_id, workflow_library_id, name) WHERE deleted_at IS NULL;

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

CREATE UNIQUE INDEX ux_prompt_library_permission_principal_live ON prompt_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

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

CREATE UNIQUE INDEX ux_workflow_library_permission_principal_live ON workflow_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

CREATE TABLE experiment (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    dataset_id UUID,
    name TEXT NOT NULL,
    plan JSON NOT NULL,
    plan_hash TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    coverage FLOAT DEFAULT '1' NOT NULL,
    plan_payload_id UUID,
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
    CONSTRAINT pk_experiment PRIMARY KEY (id),
    CONSTRAINT ux_experiment_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_experiment_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_experiment_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_experiment_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_experiment_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_experiment_organization_id_dataset_id FOREIGN KEY(organization_id, dataset_id) REFERENCES dataset (organization_id, id),
    CONSTRAINT ck_experiment_status CHECK (status IN ('draft', 'running', 'completed', 'cancelled'))
);

CREATE UNIQUE INDEX ux_experiment_flow_id_name_live ON experiment (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_template (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_library_id UUID,
    flow_id UUID,
    name TEXT NOT NULL,
    description TEXT,
    current_version BIGINT DEFAULT '0' NOT NULL,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
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
    CONSTRAINT pk_prompt_template PRIMARY KEY (id),
    CONSTRAINT ux_prompt_template_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_template_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_template_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_prompt_template_in_one_place CHECK ((prompt_library_id IS NULL) <> (flow_id IS NULL))
);

CREATE UNIQUE INDEX ux_prompt_template_flow_id_name_live ON prompt_template (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_prompt_template_prompt_library_id_name_live ON prompt_template (organization_id, prompt_library_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_flow_version (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    version BIGINT NOT NULL,
    at_seq BIGINT NOT NULL,
    document JSON NOT NULL,
    content_hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_flow_version PRIMARY KEY (id),
    CONSTRAINT fk_prompt_flow_version_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_flow_version_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ux_prompt_flow_version_organization_id_flow_id_version UNIQUE (organization_id, flow_id, version)
);

CREATE TABLE flow_node (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    parent_node_id UUID,
    node_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    kind_version BIGINT NOT NULL,
    config JSON NOT NULL,
    policy JSON NOT NULL,
    position_x FLOAT DEFAULT '0' NOT NULL,
    position_y FLOAT DEFAULT '0' NOT NULL,
    width FLOAT,
    height FLOAT,
    color TEXT,
    icon TEXT,
    label TEXT,
    style TEXT,
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
    CONSTRAINT pk_flow_node PRIMARY KEY (id),
    CONSTRAINT ux_flow_node_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_node_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_node_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id_parent_node_id FOREIGN KEY(organization_id, parent_node_id) REFERENCES flow_node (organization_id, id)
);

CREATE INDEX ix_flow_node_organization_id_flow_id ON flow_node (organization_id, flow_id);

CREATE TABLE flow_variant (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    experiment_id UUID,
    name TEXT NOT NULL,
    flow_version BIGINT NOT NULL,
    is_control BOOLEAN NOT NULL,
    patch JSON NOT NULL,
    traffic_weight FLOAT DEFAULT '1' NOT NULL,
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
    CONSTRAINT pk_flow_variant PRIMARY KEY (id),
    CONSTRAINT ux_flow_variant_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_variant_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_variant_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id)
);

CREATE UNIQUE INDEX ux_flow_variant_experiment_id_name_live ON flow_variant (organization_id, experiment_id, name) WHERE deleted_at IS NULL;

CREATE TABLE experiment_fold (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    experiment_id UUID NOT NULL,
    mark BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    run_ids JSON NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_fold PRIMARY KEY (id),
    CONSTRAINT fk_experiment_fold_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_fold_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id)
);

CREATE INDEX ix_experiment_fold_mark ON experiment_fold (experiment_id, mark);

CREATE TABLE prompt_template_version (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    prompt_template_id UUID NOT NULL,
    version BIGINT NOT NULL,
    content TEXT NOT NULL,
    variables JSON NOT NULL,
    content_hash TEXT NOT NULL,
    change_note TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_template_version PRIMARY KEY (id),
    CONSTRAINT fk_prompt_template_version_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_template_version_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ux_prompt_template_version_organization_id_prompt_templ_36cf UNIQUE (organization_id, prompt_template_id, version)
);

CREATE TABLE flow_label (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
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
    CONSTRAINT pk_flow_label PRIMARY KEY (id),
    CONSTRAINT fk_flow_label_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_label_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_label_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_label_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_label_organization_id_flow_id_version FOREIGN KEY(organization_id, flow_id, version) REFERENCES prompt_flow_version (organization_id, flow_id, version)
);

CREATE UNIQUE INDEX ux_flow_label_flow_id_name_live ON flow_label (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE TABLE flow_fork (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    origin_flow_id UUID NOT NULL,
    origin_version BIGINT NOT NULL,
    merged JSON,
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
    CONSTRAINT pk_flow_fork PRIMARY KEY (id),
    CONSTRAINT fk_flow_fork_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_fork_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_fork_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_fork_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_fork_organization_id_origin_flow_id_origin_version FOREIGN KEY(organization_id, origin_flow_id, origin_version) REFERENCES prompt_flow_version (organization_id, flow_id, version)
);

CREATE UNIQUE INDEX ux_flow_fork_flow_id_live ON flow_fork (organization_id, flow_id) WHERE deleted_at IS NULL;

CREATE TABLE flow_edge (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    source_node_id UUID NOT NULL,
    source_port TEXT NOT NULL,
    source_path TEXT DEFAULT '' NOT NULL,
    target_node_id UUID NOT NULL,
    target_port TEXT NOT NULL,
    label TEXT,
    color TEXT,
    style TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
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
    CONSTRAINT pk_flow_edge PRIMARY KEY (id),
    CONSTRAINT fk_flow_edge_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_edge_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_edge_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_source_node_id FOREIGN KEY(organization_id, source_node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_target_node_id FOREIGN KEY(organization_id, target_node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT ck_flow_edge_two_nodes CHECK (source_node_id <> target_node_id)
);

CREATE INDEX ix_flow_edge_organization_id_flow_id ON flow_edge (organization_id, flow_id);

CREATE TABLE workflow_template_usage (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    node_id UUID NOT NULL,
    prompt_template_id UUID NOT NULL,
    template_version BIGINT NOT NULL,
    first_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    removed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_workflow_template_usage PRIMARY KEY (id),
    CONSTRAINT fk_workflow_template_usage_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_workflow_template_usage_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_workflow_template_usage_organization_id_node_id FOREIGN KEY(organization_id, node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_workflow_template_usage_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ux_workflow_template_usage_node_id_template UNIQUE (organization_id, node_id, prompt_template_id, template_version)
);

CREATE INDEX ix_workflow_template_usage_template_id_version ON workflow_template_usage (prompt_template_id, template_version);

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

CREATE UNIQUE INDEX ux_tag_prompt_flow_id_name_live ON tag (organization_id, prompt_flow_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_library_id_name_live ON tag (organization_id, prompt_library_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_template_id_name_live ON tag (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_workflow_library_id_name_live ON tag (organization_id, workflow_library_id, name) WHERE deleted_at IS NULL;

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

CREATE UNIQUE INDEX ux_pin_prompt_flow_id_pinned_for_live ON pin (organization_id, prompt_flow_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_library_id_pinned_for_live ON pin (organization_id, prompt_library_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_template_id_pinned_for_live ON pin (organization_id, prompt_template_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_workflow_library_id_pinned_for_live ON pin (organization_id, workflow_library_id, pinned_for) WHERE deleted_at IS NULL;

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

CREATE INDEX ix_flow_execution_batch_id ON flow_execution (batch_id);

CREATE INDEX ix_flow_execution_created_at_cost ON flow_execution (created_at, total_cost);

CREATE INDEX ix_flow_execution_experiment_id ON flow_execution (experiment_id, variant_id);

CREATE INDEX ix_flow_execution_flow_id_status ON flow_execution (flow_id, status);

CREATE INDEX ix_flow_execution_running ON flow_execution (organization_id, lease_until) WHERE status = 'running';

CREATE TABLE experiment_exposure (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    experiment_id UUID NOT NULL,
    variant_id UUID NOT NULL,
    unit_key TEXT NOT NULL,
    exposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    propensity FLOAT,
    multi BOOLEAN DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_exposure PRIMARY KEY (id),
    CONSTRAINT fk_experiment_exposure_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_exposure_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_exposure_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id),
    CONSTRAINT ux_experiment_exposure_organization_id_experiment_id_un_ecf7 UNIQUE (organization_id, experiment_id, unit_key, variant_id)
);

CREATE INDEX ix_experiment_exposure_multi ON experiment_exposure (experiment_id, unit_key) WHERE multi;

CREATE TABLE experiment_unit (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    experiment_id UUID NOT NULL,
    variant_id UUID NOT NULL,
    unit_key TEXT NOT NULL,
    runs BIGINT NOT NULL,
    simulated_runs BIGINT NOT NULL,
    success_runs BIGINT NOT NULL,
    success BIGINT NOT NULL,
    cost_runs BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    latency_runs BIGINT NOT NULL,
    latency_ms FLOAT NOT NULL,
    quality_runs BIGINT NOT NULL,
    quality FLOAT NOT NULL,
    input_runs BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_runs BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_unit PRIMARY KEY (id),
    CONSTRAINT fk_experiment_unit_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_unit_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_unit_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id)
);

CREATE UNIQUE INDEX ux_experiment_unit_unit ON experiment_unit (organization_id, experiment_id, variant_id, unit_key);

CREATE TABLE experiment_analysis (
    id UUID NOT NULL,
    organization_id UUID NOT NULL,
    experiment_id UUID NOT NULL,
    variant_id UUID NOT NULL,
    plan_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    asked TEXT NOT NULL,
    look BIGINT NOT NULL,
    method TEXT NOT NULL,
    metric TEXT NOT NULL,
    role TEXT NOT NULL,
    unit TEXT NOT NULL,
    n BIGINT NOT NULL,
    control FLOAT,
    treatment FLOAT,
    estimate FLOAT,
    low FLOAT,
    high FLOAT,
    relative FLOAT,
    relative_low FLOAT,
    relative_high FLOAT,
    se FLOAT,
    p_value FLOAT,
    p_adjusted FLOAT,
    alpha FLOAT NOT NULL,
    verdict TEXT NOT NULL,
    decision TEXT NOT NULL,
    simulated BOOLEAN NOT NULL,
    made_with TEXT NOT NULL,
    information FLOAT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_analysis PRIMARY KEY (id),
    CONSTRAINT fk_experiment_analysis_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_analysis_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_analysis_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id),
    CONSTRAINT ck_experiment_analysis_role CHECK (role IN ('goal', 'cost', 'guardrail')),
    CONSTRAINT ck_experiment_analysis_decision CHECK (decision IN ('ship', 'hold', 'stop', 'keep_running', 'invalid'))
);

CREATE INDEX ix_experiment_analysis_look ON experiment_analysis (experiment_id, look);

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

CREATE UNIQUE INDEX ux_template_label_prompt_template_id_name_live ON template_label (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

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

CREATE INDEX ix_node_execution_cache_key ON node_execution (cache_key) WHERE cache_key IS NOT NULL;

CREATE INDEX ix_node_execution_created_at ON node_execution USING brin (created_at);

CREATE INDEX ix_node_execution_flow_execution_id ON node_execution (flow_execution_id);

CREATE INDEX ix_node_execution_node_id_performance ON node_execution (node_id, execution_time_ms, cost);

CREATE INDEX ix_node_execution_template_id_version ON node_execution (prompt_template_id, template_version);

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

CREATE INDEX ix_node_attempt_flow_execution_id ON node_attempt (flow_execution_id);

CREATE INDEX ix_node_attempt_node_execution_id ON node_attempt (node_execution_id, attempt);

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

CREATE INDEX ix_execution_metric_flow_execution_id ON execution_metric (flow_execution_id);

CREATE INDEX ix_execution_metric_name_timestamp ON execution_metric (metric_name, metric_timestamp);

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

CREATE INDEX ix_prompt_execution_node_execution_id ON prompt_execution (node_execution_id, call_index);

CREATE INDEX ix_prompt_execution_template_id_version ON prompt_execution (prompt_template_id, template_version);
