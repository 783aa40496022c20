-- Lists of many devices: every order that has an index is read in it, and the search finds parts of words by trigrams. Not indexed:
-- problems and unresolved, which change often; in their order a list is sorted.
-- search rewrites the table, once; it changes with what people see only, so check-ins stay off its index.
ALTER TABLE {t}.device ADD COLUMN search text GENERATED ALWAYS AS (lower(name || E'\n' || description || E'\n' || ip || ' ' || addresses)) STORED;
CREATE INDEX device_search ON {t}.device USING gin (search control.gin_trgm_ops);
CREATE INDEX device_os_name ON {t}.device (lower(os_name), id);
CREATE INDEX device_enrolled_at ON {t}.device (enrolled_at, id);

-- Every device has its row from now on (enrolment makes it), so that lists by last contact read the index of seen.
INSERT INTO {t}.seen (device_id, at) SELECT d.id, d.enrolled_at FROM {t}.device d ON CONFLICT (device_id) DO NOTHING;
