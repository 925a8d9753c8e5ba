-- Sums of experiments by unit, what each look found, and how probable a variant was.

ALTER TABLE experiment ADD COLUMN coverage FLOAT DEFAULT '1' NOT NULL;

ALTER TABLE experiment ADD COLUMN plan_payload_id UUID;

ALTER TABLE experiment_exposure ADD COLUMN propensity FLOAT;

ALTER TABLE experiment_exposure ADD COLUMN multi BOOLEAN DEFAULT '0' NOT NULL;

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

-- Every finished run so far, once.
INSERT INTO experiment_unit (id, organization_id, experiment_id, variant_id, unit_key, runs,
simulated_runs, success_runs, success, cost_runs, cost, latency_runs, latency_ms, quality_runs,
quality, input_runs, input_tokens, output_runs, output_tokens, created_at, created_by) SELECT
CAST(min(CAST(id AS text)) AS uuid), organization_id, experiment_id, variant_id, unit_key,
count(*), sum(CASE WHEN simulated THEN 1 ELSE 0 END), count(success), coalesce(sum(CASE WHEN
success THEN 1 ELSE 0 END), 0), count(total_cost), coalesce(sum(total_cost), 0),
count(execution_time_ms), coalesce(sum(execution_time_ms), 0), count(quality),
coalesce(sum(quality), 0), count(total_input_tokens), coalesce(sum(total_input_tokens), 0),
count(total_output_tokens), coalesce(sum(total_output_tokens), 0), min(created_at),
min(created_by) FROM flow_execution WHERE status IN ('succeeded', 'failed', 'partial') AND
(error_code IS NULL OR error_code <> 'missing_key') AND experiment_id IS NOT NULL AND variant_id
IS NOT NULL AND unit_key IS NOT NULL GROUP BY organization_id, experiment_id, variant_id, unit_key
ORDER BY variant_id, unit_key;
