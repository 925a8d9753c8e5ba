-- Which looks at an experiment its plan allowed, and at what share of the planned units.

CREATE TABLE new_experiment_analysis (
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

INSERT INTO new_experiment_analysis (id, organization_id, experiment_id, variant_id, plan_hash,
state, asked, look, method, metric, role, unit, n, control, treatment, estimate, low, high,
relative, relative_low, relative_high, se, p_value, p_adjusted, alpha, verdict, decision, simulated,
made_with, created_at, created_by) SELECT id, organization_id, experiment_id, variant_id, plan_hash,
state, asked, look, method, metric, role, unit, n, control, treatment, estimate, low, high,
relative, relative_low, relative_high, se, p_value, p_adjusted, alpha, verdict, decision, simulated,
made_with, created_at, created_by FROM experiment_analysis;

DROP TABLE experiment_analysis;

ALTER TABLE new_experiment_analysis RENAME TO experiment_analysis;

CREATE INDEX ix_experiment_analysis_look ON experiment_analysis (experiment_id, look);
