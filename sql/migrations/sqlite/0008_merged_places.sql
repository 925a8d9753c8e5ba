UPDATE flow_fork
SET merged = (
    SELECT json_object('merges', json_group_array(json_object('changed', (
        SELECT json_group_array(
            CASE WHEN json_extract(place.value, '$[0]') IN ('config', 'policy')
            THEN json_remove(place.value, '$[3]')
            ELSE json(place.value) END
        )
        FROM json_each(one.value, '$.changed') AS place
    ), 'seq', json_extract(one.value, '$.seq'))))
    FROM json_each(flow_fork.merged, '$.merges') AS one
)
WHERE merged IS NOT NULL;
