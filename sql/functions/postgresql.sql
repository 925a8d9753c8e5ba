-- What PostgreSQL is asked to do by itself; replaced whenever the schema moves.
-- Every function runs as the owner of the warehouse, whoever calls it.

-- The moment that a UUIDv7 carries.
CREATE OR REPLACE FUNCTION promptstudio_time_of(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT to_timestamp(
        ('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0
    )
$$;

-- The smallest UUIDv7 of a moment.
CREATE OR REPLACE FUNCTION promptstudio_lowest_id(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- The organisations that the login may see: all for the owner, its memberships for anybody else.
CREATE OR REPLACE FUNCTION promptstudio_organizations() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_user = current_user THEN
        RETURN QUERY SELECT o.id FROM organization AS o;
    ELSE
        RETURN QUERY SELECT m.organization_id FROM membership AS m
            WHERE m.login = session_user AND m.deleted_at IS NULL;
    END IF;
END
$$;

-- The one organisation of the present transaction. The setting chooses among the login's own.
CREATE OR REPLACE FUNCTION promptstudio_organization() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    wanted text := nullif(current_setting('promptstudio.organization_id', true), '');
    found uuid[];
BEGIN
    IF session_user = current_user THEN
        RETURN wanted::uuid;
    END IF;
    SELECT array_agg(m.organization_id) INTO found FROM membership AS m
        WHERE m.login = session_user AND m.deleted_at IS NULL
            AND (wanted IS NULL OR m.organization_id::text = wanted);
    RETURN CASE WHEN cardinality(found) = 1 THEN found[1] END;
END
$$;

-- The partitions of the month of a moment, made where they are missing; their number.
CREATE OR REPLACE FUNCTION promptstudio_make_partitions(moment timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz := date_trunc('month', moment);
    later timestamptz := month + interval '1 month';
    parent text;
    leaf text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7052027);
    FOREACH parent IN ARRAY ARRAY[
        'flow_execution', 'node_execution', 'node_attempt', 'prompt_execution', 'execution_metric'
    ] LOOP
        leaf := parent || to_char(month, '"_p"YYYYMMDD');
        CONTINUE WHEN to_regclass(leaf) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I (CONSTRAINT %I CHECK (created_at >= %L AND created_at < %L)) '
            'FOR VALUES FROM (%L) TO (%L)',
            leaf, parent, 'ck_' || leaf, month, later,
            promptstudio_lowest_id(month), promptstudio_lowest_id(later)
        );
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', leaf);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', leaf);
        EXECUTE format(
            'CREATE POLICY own_organization ON %I '
            'USING (organization_id = (SELECT promptstudio_organization()))',
            leaf
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
