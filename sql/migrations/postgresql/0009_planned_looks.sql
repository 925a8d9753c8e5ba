-- Which looks at an experiment its plan allowed, and at what share of the planned units.

ALTER TABLE experiment_analysis ADD COLUMN information DOUBLE PRECISION;
