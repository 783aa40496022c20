-- Tasks and their executions on devices.

-- name: task_page
-- doc: Newest first. $1 type, $2 time and $3 id of the last row before, $4 limit. The execution's figures follow the task.
SELECT t.id, t.type, t.name, t.settings, t.detection_id, t.created_at, t.created_by,
       e.total, e.pending, e.running, e.done, e.failed, e.cancelled, e.refused, e.progress
FROM {t}.task t
CROSS JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE x.state = 'pending') AS pending,
           count(*) FILTER (WHERE x.state IN ('running', 'cancelling')) AS running,
           count(*) FILTER (WHERE x.state = 'done') AS done,
           count(*) FILTER (WHERE x.state = 'failed') AS failed,
           count(*) FILTER (WHERE x.state = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE x.state = 'refused') AS refused,
           coalesce(avg(CASE WHEN x.ended_at IS NULL THEN x.progress ELSE 100 END), 0)::integer AS progress
    FROM {t}.execution x
    WHERE x.task_id = t.id AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)}) e
WHERE (e.total > 0 OR {everything})
  AND ($1::text IS NULL OR t.type = $1)
  AND ($2::timestamptz IS NULL OR (t.created_at, t.id) < ($2, $3::uuid))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $4::integer;

-- name: task_find
SELECT t.id, t.type, t.name, t.settings, t.detection_id, t.created_at, t.created_by,
       e.total, e.pending, e.running, e.done, e.failed, e.cancelled, e.refused, e.progress
FROM {t}.task t
CROSS JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE x.state = 'pending') AS pending,
           count(*) FILTER (WHERE x.state IN ('running', 'cancelling')) AS running,
           count(*) FILTER (WHERE x.state = 'done') AS done,
           count(*) FILTER (WHERE x.state = 'failed') AS failed,
           count(*) FILTER (WHERE x.state = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE x.state = 'refused') AS refused,
           coalesce(avg(CASE WHEN x.ended_at IS NULL THEN x.progress ELSE 100 END), 0)::integer AS progress
    FROM {t}.execution x
    WHERE x.task_id = t.id AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)}) e
WHERE t.id = $1::uuid AND (e.total > 0 OR {everything});

-- name: task_insert
INSERT INTO {t}.task (id, type, name, settings, detection_id, created_at, created_by, expires_at)
VALUES ($1::uuid, $2::text, $3::text, $4::jsonb, $5::uuid, $6::timestamptz, $7::text, $8::timestamptz);

-- name: task_lock_devices
-- doc: Locks the targets in the order that agents' writes use and gives those that exist.
SELECT d.id FROM {t}.device d WHERE d.id = ANY ($1::uuid[]) AND {reach:d.group_id} ORDER BY d.id FOR UPDATE;

-- name: task_assign
-- doc: One execution per device ($1 execution ids, $2 devices of the same order), and a new revision for each. Gives device and revision.
WITH planned AS (
    INSERT INTO {t}.execution (id, task_id, device_id, state, created_at)
    SELECT r.id, $3::uuid, r.device_id, 'pending', $4::timestamptz
    FROM unnest($1::uuid[], $2::uuid[]) AS r (id, device_id)
    RETURNING device_id
)
UPDATE {t}.device d
SET revision = d.revision + 1
FROM planned p
WHERE d.id = p.device_id
RETURNING d.id, d.revision;

-- name: execution_page
-- doc: Newest first. $1 task, $2 device, $3 state, $4 time and $5 id of the last row before, $6 limit.
SELECT x.id, x.task_id, t.type, t.name, x.device_id, d.name, x.state, x.progress, x.created_at, x.started_at, x.ended_at,
       x.result_code, x.result_args, x.files_scanned, x.files_total, x.found
FROM {t}.execution x
JOIN {t}.task t ON t.id = x.task_id
JOIN {t}.device d ON d.id = x.device_id
WHERE ($1::uuid IS NULL OR x.task_id = $1)
  AND ($2::uuid IS NULL OR x.device_id = $2)
  AND ($3::text IS NULL OR x.state = $3)
  AND {reach:d.group_id}
  AND ($4::timestamptz IS NULL OR (x.created_at, x.id) < ($4, $5::uuid))
ORDER BY x.created_at DESC, x.id DESC
LIMIT $6::integer;

-- name: execution_lock_devices
-- doc: Locks the devices of open executions of task $1 or of execution $2, in the order that agents' writes use.
SELECT d.id
FROM {t}.device d
WHERE d.id IN (SELECT x.device_id FROM {t}.execution x WHERE (x.task_id = $1::uuid OR x.id = $2::uuid) AND x.ended_at IS NULL) AND {reach:d.group_id}
ORDER BY d.id
FOR UPDATE;

-- name: execution_cancel
-- doc: Open executions of task $1 or execution $2: what never started ends now, what runs is told to stop. Gives device, revision
-- doc: and how many executions of it changed.
WITH changed AS (
    UPDATE {t}.execution x
    SET state = CASE WHEN x.state = 'pending' THEN 'cancelled' ELSE 'cancelling' END,
        ended_at = CASE WHEN x.state = 'pending' THEN $3::timestamptz END
    WHERE (x.task_id = $1::uuid OR x.id = $2::uuid) AND x.ended_at IS NULL AND x.state <> 'cancelling'
      AND EXISTS (SELECT 1 FROM {t}.device d WHERE d.id = x.device_id AND {reach:d.group_id})
    RETURNING x.device_id
), per_device AS (
    SELECT c.device_id, count(*)::integer AS n FROM changed c GROUP BY c.device_id
)
UPDATE {t}.device d
SET revision = d.revision + 1
FROM per_device p
WHERE d.id = p.device_id
RETURNING d.id, d.revision, p.n;

-- name: execution_exists
-- doc: Whether task $1 or execution $2 exists at all.
SELECT x.id
FROM {t}.execution x
JOIN {t}.device d ON d.id = x.device_id
WHERE (x.task_id = $1::uuid OR x.id = $2::uuid) AND {reach:d.group_id}
LIMIT 1;

-- name: execution_running
SELECT count(*)
FROM {t}.execution x
WHERE x.ended_at IS NULL AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)};

-- name: target_page
-- doc: Devices to choose from, by name. $1 group (it and all below), $2 search, $3 name and $4 id of the last row before, $5 limit.
SELECT d.id, d.name, g.name, d.os_family, lower(d.name)
FROM {t}.device d
JOIN {t}.device_group g ON g.id = d.group_id
WHERE ($1::uuid IS NULL OR d.group_id IN (
          WITH RECURSIVE below AS (
              SELECT x.id FROM {t}.device_group x WHERE x.id = $1::uuid
              UNION ALL
              SELECT y.id FROM {t}.device_group y JOIN below b ON y.parent_id = b.id)
          SELECT below.id FROM below))
  AND ($2::text IS NULL OR position(lower($2) IN lower(d.name)) > 0)
  AND ($3::text IS NULL OR (lower(d.name), d.id) > ($3, $4::uuid))
  AND {reach:d.group_id}
ORDER BY lower(d.name), d.id
LIMIT $5::integer;

-- name: execution_expire
-- doc: Executions that nobody began in time end as refused. $1 now.
WITH late AS (
    UPDATE {t}.execution x
    SET state = 'refused', ended_at = $1::timestamptz, result_code = 'expired'
    FROM {t}.task t
    WHERE t.id = x.task_id AND x.ended_at IS NULL AND x.state IN ('pending') AND t.expires_at < $1::timestamptz
    RETURNING x.device_id
)
SELECT count(*) FROM late;
