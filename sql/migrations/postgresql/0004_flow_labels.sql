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
