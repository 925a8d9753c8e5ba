CREATE TABLE warehouse_info (
    id TEXT NOT NULL,
    single INTEGER NOT NULL,
    readable_from TEXT DEFAULT '0002' NOT NULL,
    CONSTRAINT pk_warehouse_info PRIMARY KEY (id),
    CONSTRAINT ux_warehouse_info_single UNIQUE (single),
    CONSTRAINT ck_warehouse_info_single CHECK (single = 1)
)
 STRICT;

CREATE TABLE organization (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    payload_key TEXT NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT pk_organization PRIMARY KEY (id),
    CONSTRAINT ux_organization_slug UNIQUE (slug)
)
 STRICT;

CREATE TABLE change_log (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    stream_type TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    op_id TEXT NOT NULL,
    op_type TEXT NOT NULL,
    base_seq INTEGER NOT NULL,
    patch TEXT NOT NULL,
    inverse TEXT NOT NULL,
    status TEXT NOT NULL,
    conflicts TEXT,
    undo_of_seq INTEGER,
    batch_id TEXT,
    actor_id TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    client_id TEXT,
    hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_change_log PRIMARY KEY (id),
    CONSTRAINT fk_change_log_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ux_change_log_organization_id_stream_id_seq UNIQUE (organization_id, stream_id, seq),
    CONSTRAINT ux_change_log_organization_id_op_id UNIQUE (organization_id, op_id),
    CONSTRAINT ck_change_log_stream_type CHECK (stream_type IN ('flow', 'lab')),
    CONSTRAINT ck_change_log_status CHECK (status IN ('applied', 'superseded'))
)
 STRICT;

CREATE TABLE retention_policy (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    keep_days INTEGER NOT NULL,
    action TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_retention_policy PRIMARY KEY (id),
    CONSTRAINT ux_retention_policy_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_retention_policy_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_retention_policy_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_retention_policy_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT ck_retention_policy_action CHECK (action IN ('archive', 'anonymise', 'delete')),
    CONSTRAINT ck_retention_policy_not_negative CHECK (keep_days >= 0)
)
 STRICT;

CREATE UNIQUE INDEX ux_retention_policy_name_live ON retention_policy (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE cold_partition (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    table_name TEXT NOT NULL,
    month TEXT NOT NULL,
    location TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    total_cost INTEGER,
    digest TEXT NOT NULL,
    experiment_ids TEXT,
    restored_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_cold_partition PRIMARY KEY (id),
    CONSTRAINT fk_cold_partition_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_cold_partition_not_negative CHECK (row_count >= 0 AND byte_count >= 0)
)
 STRICT;

CREATE INDEX ix_cold_partition_organization_id_table_name_month ON cold_partition (organization_id, table_name, month);

CREATE TABLE subject_key (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    subject_ref TEXT NOT NULL,
    wrapped_key TEXT,
    destroyed_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_subject_key PRIMARY KEY (id),
    CONSTRAINT ux_subject_key_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_subject_key_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ux_subject_key_organization_id_subject_ref UNIQUE (organization_id, subject_ref)
)
 STRICT;

CREATE TABLE membership (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    login TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_membership PRIMARY KEY (id),
    CONSTRAINT fk_membership_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_membership_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_membership_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT ck_membership_role CHECK (role IN ('viewer', 'analyst', 'admin'))
)
 STRICT;

CREATE UNIQUE INDEX ux_membership_login_live ON membership (organization_id, login) WHERE deleted_at IS NULL;

CREATE TABLE prompt_lab (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    head_seq INTEGER DEFAULT '0' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_lab PRIMARY KEY (id),
    CONSTRAINT ux_prompt_lab_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_lab_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_lab_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_lab_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_prompt_lab_name_live ON prompt_lab (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE payload (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    body TEXT NOT NULL,
    byte_count INTEGER NOT NULL,
    subject_key_id TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_payload PRIMARY KEY (id),
    CONSTRAINT fk_payload_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_payload_organization_id_subject_key_id FOREIGN KEY(organization_id, subject_key_id) REFERENCES subject_key (organization_id, id)
)
 STRICT;

CREATE TABLE dataset (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_lab_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    current_version INTEGER DEFAULT '0' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_dataset PRIMARY KEY (id),
    CONSTRAINT ux_dataset_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_dataset_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_dataset_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_dataset_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_dataset_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_dataset_prompt_lab_id_name_live ON dataset (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_library (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_lab_id TEXT NOT NULL,
    parent_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_library PRIMARY KEY (id),
    CONSTRAINT ux_prompt_library_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_library_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id),
    CONSTRAINT fk_prompt_library_organization_id_parent_id FOREIGN KEY(organization_id, parent_id) REFERENCES prompt_library (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_prompt_library_prompt_lab_id_name_root ON prompt_library (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL AND parent_id IS NULL;

CREATE UNIQUE INDEX ux_prompt_library_prompt_lab_id_parent_id_name_live ON prompt_library (organization_id, prompt_lab_id, parent_id, name) WHERE deleted_at IS NULL;

CREATE TABLE workflow_library (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_lab_id TEXT NOT NULL,
    parent_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_workflow_library PRIMARY KEY (id),
    CONSTRAINT ux_workflow_library_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_workflow_library_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_workflow_library_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id_prompt_lab_id FOREIGN KEY(organization_id, prompt_lab_id) REFERENCES prompt_lab (organization_id, id),
    CONSTRAINT fk_workflow_library_organization_id_parent_id FOREIGN KEY(organization_id, parent_id) REFERENCES workflow_library (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_workflow_library_prompt_lab_id_name_root ON workflow_library (organization_id, prompt_lab_id, name) WHERE deleted_at IS NULL AND parent_id IS NULL;

CREATE UNIQUE INDEX ux_workflow_library_prompt_lab_id_parent_id_name_live ON workflow_library (organization_id, prompt_lab_id, parent_id, name) WHERE deleted_at IS NULL;

CREATE TABLE dataset_item (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    item_key TEXT NOT NULL,
    position INTEGER NOT NULL,
    content_payload_id TEXT NOT NULL,
    added_in_version INTEGER NOT NULL,
    removed_in_version INTEGER,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_dataset_item PRIMARY KEY (id),
    CONSTRAINT ux_dataset_item_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_dataset_item_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_dataset_item_organization_id_dataset_id FOREIGN KEY(organization_id, dataset_id) REFERENCES dataset (organization_id, id),
    CONSTRAINT ux_dataset_item_organization_id_dataset_id_item_key_added_in_version UNIQUE (organization_id, dataset_id, item_key, added_in_version)
)
 STRICT;

CREATE TABLE prompt_flow (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    workflow_library_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    current_version INTEGER DEFAULT '0' NOT NULL,
    head_seq INTEGER DEFAULT '0' NOT NULL,
    source TEXT,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_flow PRIMARY KEY (id),
    CONSTRAINT ux_prompt_flow_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_flow_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_flow_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_flow_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_flow_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_prompt_flow_workflow_library_id_name_live ON prompt_flow (organization_id, workflow_library_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_library_permission (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    library_id TEXT NOT NULL,
    principal_kind TEXT NOT NULL,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    expires_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_library_permission PRIMARY KEY (id),
    CONSTRAINT fk_prompt_library_permission_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_library_permission_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_library_permission_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_library_permission_organization_id_library_id FOREIGN KEY(organization_id, library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT ck_prompt_library_permission_principal_kind CHECK (principal_kind IN ('user', 'role')),
    CONSTRAINT ck_prompt_library_permission_permission CHECK (permission IN ('view', 'run', 'edit', 'manage'))
)
 STRICT;

CREATE UNIQUE INDEX ux_prompt_library_permission_principal_live ON prompt_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

CREATE TABLE workflow_library_permission (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    library_id TEXT NOT NULL,
    principal_kind TEXT NOT NULL,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    expires_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_workflow_library_permission PRIMARY KEY (id),
    CONSTRAINT fk_workflow_library_permission_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_workflow_library_permission_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_workflow_library_permission_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_workflow_library_permission_organization_id_library_id FOREIGN KEY(organization_id, library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT ck_workflow_library_permission_principal_kind CHECK (principal_kind IN ('user', 'role')),
    CONSTRAINT ck_workflow_library_permission_permission CHECK (permission IN ('view', 'run', 'edit', 'manage'))
)
 STRICT;

CREATE UNIQUE INDEX ux_workflow_library_permission_principal_live ON workflow_library_permission (organization_id, library_id, principal_kind, principal) WHERE deleted_at IS NULL;

CREATE TABLE experiment (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    dataset_id TEXT,
    name TEXT NOT NULL,
    "plan" TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    coverage REAL DEFAULT '1' NOT NULL,
    plan_payload_id TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_experiment PRIMARY KEY (id),
    CONSTRAINT ux_experiment_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_experiment_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_experiment_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_experiment_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_experiment_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_experiment_organization_id_dataset_id FOREIGN KEY(organization_id, dataset_id) REFERENCES dataset (organization_id, id),
    CONSTRAINT ck_experiment_status CHECK (status IN ('draft', 'running', 'completed', 'cancelled'))
)
 STRICT;

CREATE UNIQUE INDEX ux_experiment_flow_id_name_live ON experiment (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_template (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_library_id TEXT,
    flow_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    current_version INTEGER DEFAULT '0' NOT NULL,
    color TEXT,
    icon TEXT,
    category TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_prompt_template PRIMARY KEY (id),
    CONSTRAINT ux_prompt_template_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_prompt_template_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_prompt_template_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_prompt_template_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_prompt_template_in_one_place CHECK ((prompt_library_id IS NULL) <> (flow_id IS NULL))
)
 STRICT;

CREATE UNIQUE INDEX ux_prompt_template_flow_id_name_live ON prompt_template (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_prompt_template_prompt_library_id_name_live ON prompt_template (organization_id, prompt_library_id, name) WHERE deleted_at IS NULL;

CREATE TABLE prompt_flow_version (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_seq INTEGER NOT NULL,
    document TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_flow_version PRIMARY KEY (id),
    CONSTRAINT fk_prompt_flow_version_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_flow_version_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ux_prompt_flow_version_organization_id_flow_id_version UNIQUE (organization_id, flow_id, version)
)
 STRICT;

CREATE TABLE flow_node (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    parent_node_id TEXT,
    node_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    kind_version INTEGER NOT NULL,
    config TEXT NOT NULL,
    policy TEXT NOT NULL,
    position_x REAL DEFAULT '0' NOT NULL,
    position_y REAL DEFAULT '0' NOT NULL,
    width REAL,
    height REAL,
    color TEXT,
    icon TEXT,
    label TEXT,
    style TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_flow_node PRIMARY KEY (id),
    CONSTRAINT ux_flow_node_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_node_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_node_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_node_organization_id_parent_node_id FOREIGN KEY(organization_id, parent_node_id) REFERENCES flow_node (organization_id, id)
)
 STRICT;

CREATE INDEX ix_flow_node_organization_id_flow_id ON flow_node (organization_id, flow_id);

CREATE TABLE flow_variant (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    experiment_id TEXT,
    name TEXT NOT NULL,
    flow_version INTEGER NOT NULL,
    is_control INTEGER NOT NULL,
    patch TEXT NOT NULL,
    traffic_weight REAL DEFAULT '1' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_flow_variant PRIMARY KEY (id),
    CONSTRAINT ux_flow_variant_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_variant_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_variant_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_variant_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_flow_variant_experiment_id_name_live ON flow_variant (organization_id, experiment_id, name) WHERE deleted_at IS NULL;

CREATE TABLE experiment_fold (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    mark INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    run_ids TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_fold PRIMARY KEY (id),
    CONSTRAINT fk_experiment_fold_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_fold_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id)
)
 STRICT;

CREATE INDEX ix_experiment_fold_mark ON experiment_fold (experiment_id, mark);

CREATE TABLE prompt_template_version (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_template_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    content TEXT NOT NULL,
    variables TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    change_note TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_template_version PRIMARY KEY (id),
    CONSTRAINT fk_prompt_template_version_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_template_version_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ux_prompt_template_version_organization_id_prompt_template_id_version UNIQUE (organization_id, prompt_template_id, version)
)
 STRICT;

CREATE TABLE flow_label (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_flow_label PRIMARY KEY (id),
    CONSTRAINT fk_flow_label_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_label_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_label_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_label_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_label_organization_id_flow_id_version FOREIGN KEY(organization_id, flow_id, version) REFERENCES prompt_flow_version (organization_id, flow_id, version)
)
 STRICT;

CREATE UNIQUE INDEX ux_flow_label_flow_id_name_live ON flow_label (organization_id, flow_id, name) WHERE deleted_at IS NULL;

CREATE TABLE flow_fork (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    origin_flow_id TEXT NOT NULL,
    origin_version INTEGER NOT NULL,
    merged TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_flow_fork PRIMARY KEY (id),
    CONSTRAINT fk_flow_fork_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_fork_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_fork_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_fork_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_fork_organization_id_origin_flow_id_origin_version FOREIGN KEY(organization_id, origin_flow_id, origin_version) REFERENCES prompt_flow_version (organization_id, flow_id, version)
)
 STRICT;

CREATE UNIQUE INDEX ux_flow_fork_flow_id_live ON flow_fork (organization_id, flow_id) WHERE deleted_at IS NULL;

CREATE TABLE flow_edge (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    source_node_id TEXT NOT NULL,
    source_port TEXT NOT NULL,
    source_path TEXT DEFAULT '' NOT NULL,
    target_node_id TEXT NOT NULL,
    target_port TEXT NOT NULL,
    label TEXT,
    color TEXT,
    style TEXT,
    order_key TEXT DEFAULT '' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_flow_edge PRIMARY KEY (id),
    CONSTRAINT fk_flow_edge_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_flow_edge_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_flow_edge_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_source_node_id FOREIGN KEY(organization_id, source_node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_flow_edge_organization_id_target_node_id FOREIGN KEY(organization_id, target_node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT ck_flow_edge_two_nodes CHECK (source_node_id <> target_node_id)
)
 STRICT;

CREATE INDEX ix_flow_edge_organization_id_flow_id ON flow_edge (organization_id, flow_id);

CREATE TABLE workflow_template_usage (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    prompt_template_id TEXT NOT NULL,
    template_version INTEGER NOT NULL,
    first_used_at TEXT NOT NULL,
    removed_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_workflow_template_usage PRIMARY KEY (id),
    CONSTRAINT fk_workflow_template_usage_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_workflow_template_usage_organization_id_flow_id FOREIGN KEY(organization_id, flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT fk_workflow_template_usage_organization_id_node_id FOREIGN KEY(organization_id, node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_workflow_template_usage_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ux_workflow_template_usage_node_id_template UNIQUE (organization_id, node_id, prompt_template_id, template_version)
)
 STRICT;

CREATE INDEX ix_workflow_template_usage_template_id_version ON workflow_template_usage (prompt_template_id, template_version);

CREATE TABLE tag (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    prompt_library_id TEXT,
    workflow_library_id TEXT,
    prompt_template_id TEXT,
    prompt_flow_id TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (id),
    CONSTRAINT fk_tag_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_tag_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_tag_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_tag_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_tag_organization_id_prompt_flow_id FOREIGN KEY(organization_id, prompt_flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_tag_one_target CHECK (CASE WHEN prompt_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN workflow_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_template_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_flow_id IS NULL THEN 0 ELSE 1 END = 1)
)
 STRICT;

CREATE UNIQUE INDEX ux_tag_prompt_flow_id_name_live ON tag (organization_id, prompt_flow_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_library_id_name_live ON tag (organization_id, prompt_library_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_prompt_template_id_name_live ON tag (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_tag_workflow_library_id_name_live ON tag (organization_id, workflow_library_id, name) WHERE deleted_at IS NULL;

CREATE TABLE pin (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    pinned_for TEXT DEFAULT '' NOT NULL,
    prompt_library_id TEXT,
    workflow_library_id TEXT,
    prompt_template_id TEXT,
    prompt_flow_id TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_pin PRIMARY KEY (id),
    CONSTRAINT fk_pin_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_pin_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_pin_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_library_id FOREIGN KEY(organization_id, prompt_library_id) REFERENCES prompt_library (organization_id, id),
    CONSTRAINT fk_pin_organization_id_workflow_library_id FOREIGN KEY(organization_id, workflow_library_id) REFERENCES workflow_library (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_pin_organization_id_prompt_flow_id FOREIGN KEY(organization_id, prompt_flow_id) REFERENCES prompt_flow (organization_id, id),
    CONSTRAINT ck_pin_one_target CHECK (CASE WHEN prompt_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN workflow_library_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_template_id IS NULL THEN 0 ELSE 1 END + CASE WHEN prompt_flow_id IS NULL THEN 0 ELSE 1 END = 1)
)
 STRICT;

CREATE UNIQUE INDEX ux_pin_prompt_flow_id_pinned_for_live ON pin (organization_id, prompt_flow_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_library_id_pinned_for_live ON pin (organization_id, prompt_library_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_prompt_template_id_pinned_for_live ON pin (organization_id, prompt_template_id, pinned_for) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX ux_pin_workflow_library_id_pinned_for_live ON pin (organization_id, workflow_library_id, pinned_for) WHERE deleted_at IS NULL;

CREATE TABLE flow_execution (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_version INTEGER NOT NULL,
    change_seq INTEGER NOT NULL,
    variant_id TEXT,
    experiment_id TEXT,
    dataset_item_id TEXT,
    batch_id TEXT,
    unit_key TEXT,
    requested_by TEXT NOT NULL,
    executed_by TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    origin TEXT,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    completed_at TEXT,
    execution_time_ms REAL,
    total_cost INTEGER,
    total_input_tokens INTEGER,
    total_output_tokens INTEGER,
    success INTEGER,
    quality REAL,
    simulated INTEGER DEFAULT '0' NOT NULL,
    input_payload_id TEXT,
    output_payload_id TEXT,
    error_code TEXT,
    error_payload_id TEXT,
    lease_owner TEXT,
    lease_until TEXT,
    lease_epoch INTEGER DEFAULT '1' NOT NULL,
    plan_payload_id TEXT,
    created_at TEXT NOT NULL,
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
 STRICT;

CREATE INDEX ix_flow_execution_batch_id ON flow_execution (batch_id);

CREATE INDEX ix_flow_execution_created_at_cost ON flow_execution (created_at, total_cost);

CREATE INDEX ix_flow_execution_experiment_id ON flow_execution (experiment_id, variant_id);

CREATE INDEX ix_flow_execution_flow_id_status ON flow_execution (flow_id, status);

CREATE INDEX ix_flow_execution_running ON flow_execution (organization_id, lease_until) WHERE status = 'running';

CREATE TABLE experiment_exposure (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    unit_key TEXT NOT NULL,
    exposed_at TEXT NOT NULL,
    propensity REAL,
    multi INTEGER DEFAULT '0' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_exposure PRIMARY KEY (id),
    CONSTRAINT fk_experiment_exposure_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_exposure_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_exposure_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id),
    CONSTRAINT ux_experiment_exposure_organization_id_experiment_id_unit_key_variant_id UNIQUE (organization_id, experiment_id, unit_key, variant_id)
)
 STRICT;

CREATE INDEX ix_experiment_exposure_multi ON experiment_exposure (experiment_id, unit_key) WHERE multi;

CREATE TABLE experiment_unit (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    unit_key TEXT NOT NULL,
    runs INTEGER NOT NULL,
    simulated_runs INTEGER NOT NULL,
    success_runs INTEGER NOT NULL,
    success INTEGER NOT NULL,
    cost_runs INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    latency_runs INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    quality_runs INTEGER NOT NULL,
    quality REAL NOT NULL,
    input_runs INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_runs INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_unit PRIMARY KEY (id),
    CONSTRAINT fk_experiment_unit_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_unit_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_unit_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id)
)
 STRICT;

CREATE UNIQUE INDEX ux_experiment_unit_unit ON experiment_unit (organization_id, experiment_id, variant_id, unit_key);

CREATE TABLE experiment_analysis (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    asked TEXT NOT NULL,
    look INTEGER NOT NULL,
    method TEXT NOT NULL,
    metric TEXT NOT NULL,
    role TEXT NOT NULL,
    unit TEXT NOT NULL,
    n INTEGER NOT NULL,
    control REAL,
    treatment REAL,
    estimate REAL,
    low REAL,
    high REAL,
    relative REAL,
    relative_low REAL,
    relative_high REAL,
    se REAL,
    p_value REAL,
    p_adjusted REAL,
    alpha REAL NOT NULL,
    verdict TEXT NOT NULL,
    decision TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    made_with TEXT NOT NULL,
    information REAL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_analysis PRIMARY KEY (id),
    CONSTRAINT fk_experiment_analysis_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_analysis_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_analysis_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id),
    CONSTRAINT ck_experiment_analysis_role CHECK (role IN ('goal', 'cost', 'guardrail')),
    CONSTRAINT ck_experiment_analysis_decision CHECK (decision IN ('ship', 'hold', 'stop', 'keep_running', 'invalid'))
)
 STRICT;

CREATE INDEX ix_experiment_analysis_look ON experiment_analysis (experiment_id, look);

CREATE TABLE template_label (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    prompt_template_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT,
    updated_by TEXT,
    deleted_at TEXT,
    deleted_by TEXT,
    row_version INTEGER DEFAULT '1' NOT NULL,
    data_classification TEXT DEFAULT 'internal' NOT NULL,
    personal_data INTEGER DEFAULT '0' NOT NULL,
    retention_policy_id TEXT,
    legal_hold INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_template_label PRIMARY KEY (id),
    CONSTRAINT fk_template_label_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT ck_template_label_data_classification CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT fk_template_label_organization_id_retention_policy_id FOREIGN KEY(organization_id, retention_policy_id) REFERENCES retention_policy (organization_id, id),
    CONSTRAINT fk_template_label_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT fk_template_label_organization_id_prompt_template_id_version FOREIGN KEY(organization_id, prompt_template_id, version) REFERENCES prompt_template_version (organization_id, prompt_template_id, version)
)
 STRICT;

CREATE UNIQUE INDEX ux_template_label_prompt_template_id_name_live ON template_label (organization_id, prompt_template_id, name) WHERE deleted_at IS NULL;

CREATE TABLE node_execution (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_execution_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_version INTEGER NOT NULL,
    node_id TEXT NOT NULL,
    node_key TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    completed_at TEXT NOT NULL,
    execution_time_ms REAL NOT NULL,
    cost INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_hit INTEGER DEFAULT '0' NOT NULL,
    attempt_count INTEGER NOT NULL,
    prompt_template_id TEXT,
    template_version INTEGER,
    prompt_execution_id TEXT,
    input_payload_id TEXT,
    output_payload_id TEXT,
    error_code TEXT,
    error_payload_id TEXT,
    cache_key TEXT,
    saved_cost INTEGER,
    original_node_execution_id TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_node_execution PRIMARY KEY (id),
    CONSTRAINT ux_node_execution_organization_id_id UNIQUE (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_node_execution_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id_node_id FOREIGN KEY(organization_id, node_id) REFERENCES flow_node (organization_id, id),
    CONSTRAINT fk_node_execution_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ck_node_execution_status CHECK (status IN ('succeeded', 'failed', 'skipped', 'cancelled'))
)
 STRICT;

CREATE INDEX ix_node_execution_cache_key ON node_execution (cache_key) WHERE cache_key IS NOT NULL;

CREATE INDEX ix_node_execution_created_at ON node_execution (created_at);

CREATE INDEX ix_node_execution_flow_execution_id ON node_execution (flow_execution_id);

CREATE INDEX ix_node_execution_node_id_performance ON node_execution (node_id, execution_time_ms, cost);

CREATE INDEX ix_node_execution_template_id_version ON node_execution (prompt_template_id, template_version);

CREATE TABLE node_attempt (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_execution_id TEXT NOT NULL,
    node_execution_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    completed_at TEXT,
    error_code TEXT,
    lease_epoch INTEGER NOT NULL,
    node_key TEXT,
    path TEXT,
    question_payload_id TEXT,
    answer_payload_id TEXT,
    answered_by TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_node_attempt PRIMARY KEY (id),
    CONSTRAINT fk_node_attempt_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_node_attempt_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT ck_node_attempt_status CHECK (status IN ('started', 'succeeded', 'failed', 'unknown', 'waiting'))
)
 STRICT;

CREATE INDEX ix_node_attempt_flow_execution_id ON node_attempt (flow_execution_id);

CREATE INDEX ix_node_attempt_node_execution_id ON node_attempt (node_execution_id, attempt);

CREATE TABLE execution_metric (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_execution_id TEXT NOT NULL,
    node_execution_id TEXT,
    metric_name TEXT NOT NULL,
    metric_value REAL NOT NULL,
    metric_unit TEXT,
    metric_timestamp TEXT NOT NULL,
    dimensions TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_execution_metric PRIMARY KEY (id),
    CONSTRAINT fk_execution_metric_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_execution_metric_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id)
)
 STRICT;

CREATE INDEX ix_execution_metric_flow_execution_id ON execution_metric (flow_execution_id);

CREATE INDEX ix_execution_metric_name_timestamp ON execution_metric (metric_name, metric_timestamp);

CREATE TABLE prompt_execution (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    flow_execution_id TEXT NOT NULL,
    node_execution_id TEXT NOT NULL,
    call_index INTEGER NOT NULL,
    prompt_template_id TEXT NOT NULL,
    template_version INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    finish_reason TEXT,
    error_code TEXT,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    output_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost INTEGER,
    price_source TEXT,
    latency_ms REAL,
    first_token_ms REAL,
    request_payload_id TEXT,
    response_payload_id TEXT,
    provider_request_id TEXT,
    original_prompt_execution_id TEXT,
    simulated INTEGER DEFAULT '0' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_prompt_execution PRIMARY KEY (id),
    CONSTRAINT fk_prompt_execution_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_prompt_execution_organization_id_flow_execution_id FOREIGN KEY(organization_id, flow_execution_id) REFERENCES flow_execution (organization_id, id),
    CONSTRAINT fk_prompt_execution_organization_id_node_execution_id FOREIGN KEY(organization_id, node_execution_id) REFERENCES node_execution (organization_id, id),
    CONSTRAINT fk_prompt_execution_organization_id_prompt_template_id FOREIGN KEY(organization_id, prompt_template_id) REFERENCES prompt_template (organization_id, id),
    CONSTRAINT ck_prompt_execution_status CHECK (status IN ('succeeded', 'failed')),
    CONSTRAINT ck_prompt_execution_not_negative CHECK (input_tokens >= 0 AND cached_tokens >= 0 AND output_tokens >= 0 AND reasoning_tokens >= 0)
)
 STRICT;

CREATE INDEX ix_prompt_execution_node_execution_id ON prompt_execution (node_execution_id, call_index);

CREATE INDEX ix_prompt_execution_template_id_version ON prompt_execution (prompt_template_id, template_version);
