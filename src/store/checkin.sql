-- What one check-in of an agent does, in this order, inside a batch (store/batch.h). Nothing here reads back into C between
-- statements, so that a batch is one round trip.

-- name: checkin_device
-- doc: Locks the device and notes what the agent says of itself. $2 agent version, $3 interval, $4 and $5 epoch and head of its
-- doc: journal: below our mark, a snapshot was restored, or two machines use one identity. Gives revision and facts digest as they
-- doc: were, and whether the journal is behind. No row: the device was removed.
WITH before AS (
    SELECT d.id, d.revision, d.facts_digest, EXISTS (
        SELECT FROM {t}.event_mark m WHERE m.device_id = $1::uuid AND m.epoch = $4::uuid AND m.mark > $5::bigint) AS behind
    FROM {t}.device d
    WHERE d.id = $1::uuid
    FOR UPDATE
), noted AS (
    UPDATE {t}.device d
    SET agent_version = $2::text, check_interval = $3::integer, identity_question = d.identity_question OR b.behind
    FROM before b
    WHERE d.id = b.id
      AND (d.agent_version <> $2::text OR d.check_interval <> $3::integer OR (b.behind AND NOT d.identity_question))
    RETURNING d.id
)
SELECT b.revision, b.facts_digest, b.behind FROM before b;

-- name: checkin_fact_replace
-- doc: All rows of a kind. $2 kind, $3 digest, $4 keys, $5 values, $6 now. EXCEPT hashes; comparing keys with the array would be
-- doc: all with all.
WITH known AS (
    SELECT d.id FROM {t}.device d WHERE d.id = $1::uuid
), gone AS (
    DELETE FROM {t}.fact f
    USING (
        SELECT o.key FROM {t}.fact o WHERE o.device_id = $1::uuid AND o.kind = $2::text
        EXCEPT
        SELECT r.key FROM unnest($4::text[]) AS r (key)
    ) AS old
    WHERE f.device_id = $1::uuid AND f.kind = $2::text AND f.key = old.key
    RETURNING f.key
), put AS (
    INSERT INTO {t}.fact (device_id, kind, key, value)
    SELECT k.id, $2::text, r.key, r.value
    FROM known k, unnest($4::text[], $5::jsonb[]) AS r (key, value)
    ON CONFLICT (device_id, kind, key) DO UPDATE SET value = excluded.value WHERE fact.value IS DISTINCT FROM excluded.value
    RETURNING key
)
INSERT INTO {t}.fact_digest (device_id, kind, digest, at)
SELECT k.id, $2::text, $3::text, $6::timestamptz FROM known k
ON CONFLICT (device_id, kind) DO UPDATE SET digest = excluded.digest, at = excluded.at
RETURNING digest;

-- name: checkin_fact_merge
-- doc: Changed rows of a kind, if what we hold has the digest $3 they stand on; no row otherwise. $4 new digest, $5 keys and
-- doc: $6 values to set, $7 keys to remove, $8 now.
-- doc: The device's id stands in each condition, not base's: with a join the planner may walk the whole index for a key.
WITH base AS (
    SELECT f.device_id FROM {t}.fact_digest f WHERE f.device_id = $1::uuid AND f.kind = $2::text AND f.digest = $3::text
), gone AS (
    DELETE FROM {t}.fact f USING unnest($7::text[]) AS r (key)
    WHERE f.device_id = $1::uuid AND f.kind = $2::text AND f.key = r.key AND EXISTS (SELECT FROM base)
    RETURNING f.key
), put AS (
    INSERT INTO {t}.fact (device_id, kind, key, value)
    SELECT b.device_id, $2::text, r.key, r.value
    FROM base b, unnest($5::text[], $6::jsonb[]) AS r (key, value)
    ON CONFLICT (device_id, kind, key) DO UPDATE SET value = excluded.value
    RETURNING key
)
UPDATE {t}.fact_digest d
SET digest = $4::text, at = $8::timestamptz
FROM base b
WHERE d.device_id = $1::uuid AND d.kind = $2::text
RETURNING d.digest;

-- name: checkin_digest
-- doc: The device's digest over its kinds, made as the agent makes it. Gives it.
UPDATE {t}.device d
SET facts_digest = coalesce((
    SELECT encode(sha256(convert_to(string_agg(f.digest, '' ORDER BY array_position(
               ARRAY['identity', 'os', 'hardware', 'network', 'software', 'users', 'protection', 'problems'], f.kind)), 'UTF8')), 'hex')
    FROM {t}.fact_digest f WHERE f.device_id = $1::uuid), '')
WHERE d.id = $1::uuid
RETURNING d.facts_digest;

-- name: checkin_columns
-- doc: The device's columns that lists sort and filter by, from its facts. Words that a newer agent may use and we do not know
-- doc: leave what was known, or count as unknown; so do they in checkin_events.
UPDATE {t}.device d
SET name = CASE WHEN d.named_by_user THEN d.name ELSE coalesce(i.value ->> 'hostname', d.name) END,
    fqdn = coalesce(i.value ->> 'fqdn', ''),
    os_family = CASE WHEN o.value ->> 'family' IN ('linux', 'windows', 'macos', 'android', 'ios') THEN o.value ->> 'family' ELSE d.os_family END,
    os_name = coalesce(o.value ->> 'name', d.os_name),
    os_version = coalesce(o.value ->> 'version', d.os_version),
    addresses = coalesce(n.addresses, ''),
    ip = coalesce(left(split_part(n.addresses, ' ', 1), 45), ''),
    problems = least(1000, p.n),
    status = p.worst,
    protection = CASE WHEN e.value ->> 'state' IN ('on', 'detect_only', 'off') THEN e.value ->> 'state' ELSE 'unknown' END,
    isolated = coalesce((e.value ->> 'isolated')::boolean, false)
FROM (SELECT 1) AS one
LEFT JOIN {t}.fact i ON i.device_id = $1::uuid AND i.kind = 'identity' AND i.key = '-'
LEFT JOIN {t}.fact o ON o.device_id = $1::uuid AND o.kind = 'os' AND o.key = '-'
LEFT JOIN {t}.fact e ON e.device_id = $1::uuid AND e.kind = 'protection' AND e.key = '-'
CROSS JOIN LATERAL (
    SELECT string_agg(a.address, ' ' ORDER BY f.key, a.place) AS addresses
    FROM {t}.fact f
    CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(f.value -> 'addresses', '[]')) WITH ORDINALITY AS a (address, place)
    WHERE f.device_id = $1::uuid AND f.kind = 'network') n
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS n,
           coalesce(max(CASE f.value ->> 'severity' WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END), 0)::smallint AS worst
    FROM {t}.fact f
    WHERE f.device_id = $1::uuid AND f.kind = 'problems') p
WHERE d.id = $1::uuid;

-- name: checkin_question
-- doc: Has a number come back with another hash? $2 epoch, $3 numbers, $4 hashes. Gives how many; then two machines may be using
-- doc: one identity.
WITH bad AS (
    SELECT count(*) AS clashed
    FROM unnest($3::bigint[], $4::text[]) AS r (seq, hash)
    JOIN {t}.event e ON e.device_id = $1::uuid AND e.epoch = $2::uuid AND e.seq = r.seq
    WHERE e.hash <> r.hash
), asked AS (
    UPDATE {t}.device d
    SET identity_question = true
    FROM bad b
    WHERE d.id = $1::uuid AND b.clashed > 0 AND NOT d.identity_question
    RETURNING d.id
)
SELECT b.clashed FROM bad b;

-- name: checkin_events
-- doc: Records not known yet, and what follows from them: detections, quarantine, executions, the device's counts. Arrays of one
-- doc: length: $3 numbers, $4 ids, $5 kinds, $6 times, $7 hashes, $8 bodies; $9 now. Gives how many records, detections,
-- doc: executions and quarantine changes were new.
WITH fresh AS (
    INSERT INTO {t}.event (device_id, epoch, seq, id, kind, occurred_at, received_at, hash, body)
    SELECT d.id, $2::uuid, r.seq, r.id, r.kind, r.occurred_at, $9::timestamptz, r.hash, r.body
    FROM unnest($3::bigint[], $4::uuid[], $5::text[], $6::timestamptz[], $7::text[], $8::jsonb[]) AS r (seq, id, kind, occurred_at, hash, body)
    JOIN {t}.device d ON d.id = $1::uuid
    ORDER BY r.seq
    ON CONFLICT DO NOTHING
    RETURNING seq, id, kind, occurred_at, body
), found AS (
    INSERT INTO {t}.detection (id, device_id, name, type, severity, scanner, action, action_error, object, sha256, size, process,
                               account, engine, engine_version, signature_version, execution_id, occurred_at, received_at)
    SELECT f.id, $1::uuid, f.body ->> 'name',
           CASE WHEN f.body ->> 'type' IN ('malware', 'unwanted', 'suspicious', 'test') THEN f.body ->> 'type' ELSE 'suspicious' END,
           CASE f.body ->> 'severity' WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END,
           CASE WHEN f.body ->> 'scanner' = 'on_access' THEN 'on_access' ELSE 'on_demand' END,
           CASE WHEN f.body ->> 'action' IN ('blocked', 'quarantined', 'deleted', 'failed') THEN f.body ->> 'action' ELSE 'reported' END,
           coalesce(f.body ->> 'action_error', ''), f.body ->> 'object',
           coalesce(f.body ->> 'sha256', ''), (f.body ->> 'size')::bigint, coalesce(f.body ->> 'process', ''),
           coalesce(f.body ->> 'user', ''), coalesce(f.body ->> 'engine', ''), coalesce(f.body ->> 'engine_version', ''),
           coalesce(f.body ->> 'signature_version', ''), (f.body ->> 'execution_id')::uuid, f.occurred_at, $9::timestamptz
    FROM fresh f
    WHERE f.kind = 'detection'
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), held AS (
    INSERT INTO {t}.quarantine (id, device_id, name, object, sha256, size, quarantined_at, removed_at)
    SELECT DISTINCT ON ((f.body ->> 'id')::uuid) (f.body ->> 'id')::uuid, $1::uuid, f.body ->> 'name', f.body ->> 'object', f.body ->> 'sha256',
           (f.body ->> 'size')::bigint, f.occurred_at, CASE WHEN f.body ->> 'change' <> 'added' THEN f.occurred_at END
    FROM fresh f
    WHERE f.kind = 'quarantine' AND f.body ->> 'change' IN ('added', 'removed', 'restored')
    ORDER BY (f.body ->> 'id')::uuid, f.seq DESC
    ON CONFLICT (id) DO UPDATE SET removed_at = coalesce(excluded.removed_at, quarantine.removed_at)
        WHERE quarantine.device_id = excluded.device_id
    RETURNING id
), latest AS (
    SELECT DISTINCT ON ((f.body ->> 'execution_id')::uuid) (f.body ->> 'execution_id')::uuid AS id, f.occurred_at, f.body
    FROM fresh f
    WHERE f.kind = 'execution'
      AND f.body ->> 'state' IN ('pending', 'running', 'cancelling', 'done', 'failed', 'cancelled', 'refused')
    ORDER BY (f.body ->> 'execution_id')::uuid, f.seq DESC
), moved AS (
    UPDATE {t}.execution x
    SET state = CASE WHEN x.state = 'cancelling' AND l.body ->> 'state' IN ('pending', 'running') THEN x.state ELSE l.body ->> 'state' END,
        progress = (l.body ->> 'progress')::smallint,
        files_scanned = coalesce((l.body ->> 'files_scanned')::bigint, x.files_scanned),
        files_total = coalesce((l.body ->> 'files_total')::bigint, x.files_total),
        found = coalesce((l.body ->> 'found')::bigint, x.found),
        result_code = coalesce(l.body ->> 'result_code', x.result_code),
        result_args = coalesce((SELECT array_agg(a.v) FROM jsonb_array_elements_text(l.body -> 'result_args') AS a (v)), x.result_args),
        started_at = coalesce(x.started_at, l.occurred_at),
        ended_at = CASE WHEN l.body ->> 'state' IN ('done', 'failed', 'cancelled', 'refused') THEN l.occurred_at END
    FROM latest l
    WHERE x.id = l.id AND x.device_id = $1::uuid AND x.ended_at IS NULL
    RETURNING x.id
), counted AS (
    UPDATE {t}.device d
    SET unresolved = d.unresolved + (SELECT count(*)::integer FROM found),
        lost_records = least(9007199254740991, d.lost_records + (
            SELECT coalesce(sum((f.body ->> 'last')::bigint - (f.body ->> 'first')::bigint + 1), 0) FROM fresh f WHERE f.kind = 'gap'))
    WHERE d.id = $1::uuid AND EXISTS (SELECT 1 FROM fresh f WHERE f.kind IN ('detection', 'gap'))
    RETURNING d.id
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM found), (SELECT count(*) FROM moved), (SELECT count(*) FROM held);

-- name: checkin_mark
-- doc: Moves the mark over the records $3 to $4 when they follow it ($5 the agent's tail: all before it is settled). Gives the mark.
INSERT INTO {t}.event_mark (device_id, epoch, mark)
SELECT d.id, $2::uuid, CASE WHEN $3::bigint <= greatest(1, $5::bigint) THEN $4::bigint ELSE 0 END
FROM {t}.device d
WHERE d.id = $1::uuid
ON CONFLICT (device_id, epoch) DO UPDATE
SET mark = greatest(event_mark.mark, CASE WHEN $3::bigint <= greatest(event_mark.mark + 1, $5::bigint) THEN $4::bigint ELSE event_mark.mark END)
RETURNING mark;

-- name: checkin_rest
-- doc: After all of the above: the revision, the mark of epoch $2 (0: none), and the device's executions that have not ended, one
-- doc: in each row; without any, one row with none.
SELECT d.revision, coalesce(m.mark, 0), x.id, t.type, x.state = 'cancelling', t.expires_at, t.settings
FROM {t}.device d
LEFT JOIN {t}.event_mark m ON m.device_id = d.id AND m.epoch = $2::uuid
LEFT JOIN {t}.execution x ON x.device_id = d.id AND x.ended_at IS NULL
LEFT JOIN {t}.task t ON t.id = x.task_id
WHERE d.id = $1::uuid
ORDER BY x.created_at, x.id
LIMIT 100;
