-- When a run was last added to a unit of an experiment, and which runs are not over.

ALTER TABLE experiment_unit ADD COLUMN touched BIGINT DEFAULT '0' NOT NULL;

CREATE INDEX ix_experiment_unit_touched ON experiment_unit (experiment_id, touched);

CREATE INDEX ix_flow_execution_running ON flow_execution (organization_id, lease_until) WHERE status = 'running';
