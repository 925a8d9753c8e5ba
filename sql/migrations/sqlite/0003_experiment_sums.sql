-- Sums of experiments by unit, what each look found, and how probable a variant was.

CREATE TABLE new_experiment (
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

INSERT INTO new_experiment (id, organization_id, flow_id, dataset_id, name, plan, plan_hash,
status, started_at, ended_at, created_at, created_by, updated_at, updated_by, deleted_at,
deleted_by, row_version, data_classification, personal_data, retention_policy_id, legal_hold)
SELECT id, organization_id, flow_id, dataset_id, name, plan, plan_hash, status, started_at,
ended_at, created_at, created_by, updated_at, updated_by, deleted_at, deleted_by, row_version,
data_classification, personal_data, retention_policy_id, legal_hold FROM experiment;

DROP TABLE experiment;

ALTER TABLE new_experiment RENAME TO experiment;

CREATE TABLE new_experiment_exposure (
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    unit_key TEXT NOT NULL,
    exposed_at TEXT NOT NULL,
    exposure_count INTEGER DEFAULT '1' NOT NULL,
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

INSERT INTO new_experiment_exposure (id, organization_id, experiment_id, variant_id, unit_key,
exposed_at, exposure_count, created_at, created_by) SELECT id, organization_id, experiment_id,
variant_id, unit_key, exposed_at, exposure_count, created_at, created_by FROM experiment_exposure;

DROP TABLE experiment_exposure;

ALTER TABLE new_experiment_exposure RENAME TO experiment_exposure;

CREATE UNIQUE INDEX ux_experiment_flow_id_name_live ON experiment (organization_id, flow_id, name) WHERE deleted_at IS NULL;

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

-- Every finished run so far, once.
INSERT INTO experiment_unit (id, organization_id, experiment_id, variant_id, unit_key, runs,
simulated_runs, success_runs, success, cost_runs, cost, latency_runs, latency_ms, quality_runs,
quality, input_runs, input_tokens, output_runs, output_tokens, created_at, created_by) SELECT
min(id), organization_id, experiment_id, variant_id, unit_key, count(*), sum(CASE WHEN simulated
THEN 1 ELSE 0 END), count(success), coalesce(sum(CASE WHEN success THEN 1 ELSE 0 END), 0),
count(total_cost), coalesce(sum(total_cost), 0), count(execution_time_ms),
coalesce(sum(execution_time_ms), 0), count(quality), coalesce(sum(quality), 0),
count(total_input_tokens), coalesce(sum(total_input_tokens), 0), count(total_output_tokens),
coalesce(sum(total_output_tokens), 0), min(created_at), min(created_by) FROM flow_execution WHERE
status IN ('succeeded', 'failed', 'partial') AND (error_code IS NULL OR error_code <>
'missing_key') AND experiment_id IS NOT NULL AND variant_id IS NOT NULL AND unit_key IS NOT NULL
GROUP BY organization_id, experiment_id, variant_id, unit_key ORDER BY variant_id, unit_key;
