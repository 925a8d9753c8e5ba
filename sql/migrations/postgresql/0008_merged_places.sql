UPDATE flow_fork
SET merged = (
    SELECT json_build_object('merges', json_agg(json_build_object('changed', (
        SELECT coalesce(json_agg(
            CASE WHEN place.value ->> 0 IN ('config', 'policy')
            THEN (place.value::jsonb - 3)::json
            ELSE place.value END
            ORDER BY place.ordinality
        ), '[]')
        FROM json_array_elements(one.value -> 'changed') WITH ORDINALITY AS place
    ), 'seq', one.value -> 'seq') ORDER BY one.ordinality))
    FROM json_array_elements(flow_fork.merged -> 'merges') WITH ORDINALITY AS one
)
WHERE merged IS NOT NULL;
