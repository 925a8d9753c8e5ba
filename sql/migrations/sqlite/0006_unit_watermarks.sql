-- When a run was last added to a unit of an experiment, and which runs are not over.

CREATE TABLE new_experiment_unit (
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
    touched INTEGER DEFAULT '0' NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_experiment_unit PRIMARY KEY (id),
    CONSTRAINT fk_experiment_unit_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
    CONSTRAINT fk_experiment_unit_organization_id_experiment_id FOREIGN KEY(organization_id, experiment_id) REFERENCES experiment (organization_id, id),
    CONSTRAINT fk_experiment_unit_organization_id_variant_id FOREIGN KEY(organization_id, variant_id) REFERENCES flow_variant (organization_id, id)
)
 STRICT;

INSERT INTO new_experiment_unit (id, organization_id, experiment_id, variant_id, unit_key, runs,
simulated_runs, success_runs, success, cost_runs, cost, latency_runs, latency_ms, quality_runs,
quality, input_runs, input_tokens, output_runs, output_tokens, created_at, created_by) SELECT id,
organization_id, experiment_id, variant_id, unit_key, runs, simulated_runs, success_runs, success,
cost_runs, cost, latency_runs, latency_ms, quality_runs, quality, input_runs, input_tokens,
output_runs, output_tokens, created_at, created_by FROM experiment_unit;

DROP TABLE experiment_unit;

ALTER TABLE new_experiment_unit RENAME TO experiment_unit;

CREATE UNIQUE INDEX ux_experiment_unit_unit ON experiment_unit (organization_id, experiment_id, variant_id, unit_key);

CREATE INDEX ix_experiment_unit_touched ON experiment_unit (experiment_id, touched);

CREATE INDEX ix_flow_execution_running ON flow_execution (organization_id, lease_until) WHERE status = 'running';
