-- Which runs were added to units, in what order: units themselves no longer say when.

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

DROP INDEX ix_experiment_unit_touched;

ALTER TABLE experiment_unit DROP COLUMN touched;
