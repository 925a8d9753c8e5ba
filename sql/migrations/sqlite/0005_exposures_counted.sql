ALTER TABLE experiment_exposure DROP COLUMN exposure_count;
