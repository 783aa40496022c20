-- Who did what. Rows are only added, each linked to the one before (audit.h).

-- name: audit_lock
-- doc: The newest record, locked until the end of the transaction, with what the next one needs: the name at this time of
-- doc: account $1 (otherwise $2), and the group of object $4 of type $3, unless it is given ($5).
SELECT h.seq, h.hash, coalesce((SELECT a.name FROM {t}.account a WHERE a.id = $1::uuid), $2::text),
       coalesce($5::uuid, CASE $3::text
           WHEN 'device' THEN (SELECT d.group_id FROM {t}.device d WHERE d.id = $4::uuid)
           WHEN 'group' THEN (SELECT g.id FROM {t}.device_group g WHERE g.id = $4::uuid)
           WHEN 'user' THEN (SELECT a.home_group_id FROM {t}.account a WHERE a.id = $4::uuid)
           WHEN 'enrolment_token' THEN (SELECT k.group_id FROM {t}.enrolment_token k WHERE k.id = $4::uuid)
           WHEN 'detection' THEN (SELECT d.group_id FROM {t}.detection x JOIN {t}.device d ON d.id = x.device_id WHERE x.id = $4::uuid)
           WHEN 'execution' THEN (SELECT d.group_id FROM {t}.execution x JOIN {t}.device d ON d.id = x.device_id WHERE x.id = $4::uuid)
           WHEN 'task' THEN (SELECT CASE WHEN count(DISTINCT d.group_id) = 1 THEN (array_agg(d.group_id))[1] END
                             FROM {t}.execution x JOIN {t}.device d ON d.id = x.device_id WHERE x.task_id = $4::uuid)
       END)
FROM {t}.audit_head h
FOR UPDATE OF h;

-- name: audit_insert
-- doc: After audit_lock, whose row it moves on.
WITH head AS (
    UPDATE {t}.audit_head SET seq = $14::bigint, hash = $15::bytea
)
INSERT INTO {t}.audit (id, at, account_id, account, session_id, address, action, object_type, object_id, object_name, result, detail,
                       group_id, seq, hash)
VALUES ($1::uuid, $2::timestamptz, $3::uuid, $4::text, $5::uuid, $6::text, $7::text, $8::text, $9::uuid, $10::text, $11::text, $12::text,
        $13::uuid, $14, $15);

-- name: audit_head
SELECT h.seq, h.hash FROM {t}.audit_head h;

-- name: audit_page
-- doc: Newest first. $1 account, $2 object, $3 its type, $4 action, $5 result, $6 search, $7 from, $8 to, $9 time and $10 id of
-- doc: the last row of the page before, $11 limit.
-- variant page: first = true, next = (x.at, x.id) < ($9::timestamptz, $10::uuid)
SELECT x.id, x.at, x.account_id, x.account, x.session_id, x.address, x.action, x.object_type, x.object_id, x.object_name, x.result,
       x.detail, x.group_id, x.seq, x.hash
FROM {t}.audit x
WHERE ($1::uuid IS NULL OR x.account_id = $1)
  AND ($2::uuid IS NULL OR x.object_id = $2)
  AND ($3::text IS NULL OR x.object_type = $3)
  AND ($4::text IS NULL OR x.action = $4)
  AND ($5::text IS NULL OR x.result = $5)
  AND ($6::text IS NULL OR position(lower($6) IN lower(x.account)) > 0 OR position(lower($6) IN lower(x.object_name)) > 0
       OR position(lower($6) IN x.address) > 0)
  AND ($7::timestamptz IS NULL OR x.at >= $7)
  AND ($8::timestamptz IS NULL OR x.at < $8)
  AND {reach:x.group_id}
  AND ($9::timestamptz IS NULL OR $10::uuid IS NOT NULL)
  AND {page}
ORDER BY x.at DESC, x.id DESC
LIMIT $11::integer;

-- name: audit_chain
-- doc: The chain behind record $1, at most $2 records.
SELECT x.id, x.at, x.account_id, x.account, x.session_id, x.address, x.action, x.object_type, x.object_id, x.object_name, x.result,
       x.detail, x.group_id, x.seq, x.hash
FROM {t}.audit x
WHERE x.seq > $1::bigint
ORDER BY x.seq
LIMIT $2::integer;

-- name: audit_loose
-- doc: Records without a place in the chain: how many, the newest; how many came more than an hour after the chain began.
-- doc: Servers of the version before write such for as long as they are being replaced. Then: records behind the head.
SELECT count(*), max(x.at), count(*) FILTER (WHERE x.at > (SELECT y.at FROM {t}.audit y WHERE y.seq = 1) + interval '1 hour'),
       (SELECT count(*) FROM {t}.audit z WHERE z.seq > (SELECT h.seq FROM {t}.audit_head h))
FROM {t}.audit x
WHERE x.seq IS NULL;

-- name: audit_seal_due
-- doc: Is there a newer record than the newest seal, and has there been none since $1?
SELECT h.seq > 0 AND NOT EXISTS (SELECT 1 FROM {t}.audit x WHERE x.seq = h.seq AND x.action = 'audit.seal')
       AND (SELECT max(x.at) FROM {t}.audit x WHERE x.seq = coalesce((SELECT max(s.seq) FROM {t}.audit s WHERE s.action = 'audit.seal'), 1)) <= $1::timestamptz
FROM {t}.audit_head h;
