# SPDX-License-Identifier: Apache-2.0
"""Fills a wide house: small tenants out of the product's pool and its tenant files, and generated devices in them and in `big`.
Rows are the same in every run: they follow from their number."""
import json
import time

from house import PASSWORD, cheap_hash, psql, tenant

CHUNK = 200  # tenants in one call of sekishoctl

# $s schema and role, $n devices, $d detections. As the tenant's role: what it may not write, the product could not either.
ROWS = """SET ROLE $s;
WITH g AS (SELECT array_agg(id ORDER BY name) AS ids FROM $s.device_group WHERE built_in IS NULL),
r AS (SELECT i, ('x' || substr(md5(i::text), 1, 7))::bit(28)::integer AS v, ('x' || substr(md5(i::text), 8, 7))::bit(28)::integer AS w
      FROM generate_series(1, $n) AS i),
made AS (
    INSERT INTO $s.device (id, name, description, group_id, os_family, os_name, os_version, fqdn, ip, addresses, status, problems, unresolved,
                           isolated, protection, agent_version, machine_id, check_interval, facts_digest, enrolled_at)
    SELECT md5('$s' || i)::uuid, (ARRAY['tokyo', 'osaka', 'nagoya', 'field', 'server', 'build'])[1 + v % 6] || '-' || lpad(i::text, 6, '0'),
           CASE WHEN v % 10 = 0 THEN 'Replaced in ' || 2015 + w % 10 ELSE '' END, g.ids[1 + w % 3],
           CASE WHEN v % 100 < 70 THEN 'windows' WHEN v % 100 < 85 THEN 'linux' WHEN v % 100 < 97 THEN 'macos' ELSE 'android' END,
           CASE WHEN v % 100 < 40 THEN 'Windows 11 Pro' WHEN v % 100 < 70 THEN 'Windows 10 Pro' WHEN v % 100 < 80 THEN 'Debian GNU/Linux 12'
                WHEN v % 100 < 85 THEN 'Ubuntu 24.04' WHEN v % 100 < 97 THEN 'macOS 15' ELSE 'Android 15' END,
           (w % 20)::text, 'pc-' || i || '.example.net', format('10.%s.%s.%s', w % 200, i / 250 % 250, i % 250),
           format('10.%s.%s.%s fe80::%s', w % 200, i / 250 % 250, i % 250, to_hex(i)),
           CASE WHEN v % 50 = 0 THEN 2 WHEN v % 13 = 0 THEN 1 ELSE 0 END,
           CASE WHEN v % 50 = 0 THEN 2 WHEN v % 13 = 0 THEN 1 ELSE 0 END, CASE WHEN w % 40 = 0 THEN 1 + w % 5 ELSE 0 END, w % 500 = 0,
           CASE WHEN v % 50 = 0 THEN 'off' ELSE 'on' END, '0.1.' || w % 4, md5('machine' || i), 3600, md5('facts' || i) || md5('more' || i),
           now() - (w % 500) * interval '1 day' - (v % 86400) * interval '1 second'
    FROM r, g
    RETURNING id, enrolled_at)
SELECT count(*) FROM made;
INSERT INTO $s.seen (device_id, at, address)
SELECT d.id, now() - (('x' || substr(md5(d.name), 1, 5))::bit(20)::integer % 90000) * interval '1 second', d.ip FROM $s.device d
ON CONFLICT DO NOTHING;
INSERT INTO $s.fact (device_id, kind, key, value)
SELECT d.id, f.kind, f.key, f.value
FROM $s.device d
CROSS JOIN LATERAL (VALUES
    ('identity', '-', jsonb_build_object('hostname', d.name, 'fqdn', d.fqdn, 'agent_version', d.agent_version)),
    ('os', '-', jsonb_build_object('family', d.os_family, 'name', d.os_name, 'version', d.os_version)),
    ('hardware', 'machine', jsonb_build_object('vendor', 'Minato', 'model', 'M-' || length(d.name), 'memory', 17179869184)),
    ('hardware', 'disk:0', jsonb_build_object('size', 512000000000)),
    ('network', 'eth0', jsonb_build_object('mac', '02:00:00:00:00:01', 'state', 'up', 'addresses', jsonb_build_array(d.ip))),
    ('protection', '-', jsonb_build_object('engine', 'sim-engine', 'state', d.protection, 'on_access', true, 'isolated', d.isolated))
) AS f (kind, key, value)
ON CONFLICT DO NOTHING;
WITH d AS (SELECT array_agg(id ORDER BY id) AS ids FROM $s.device),
r AS (SELECT i, ('x' || substr(md5('d' || i), 1, 7))::bit(28)::integer AS v FROM generate_series(1, $d) AS i)
INSERT INTO $s.detection (id, device_id, name, type, severity, scanner, action, object, sha256, size, process, account, engine, occurred_at,
                          received_at, resolved_at)
SELECT md5('$s' || 'd' || i)::uuid, d.ids[1 + v % cardinality(d.ids)], 'Test.Sekisho.' || (ARRAY['Worm', 'Dropper', 'Miner', 'Adware'])[1 + v % 4] || v % 90,
       (ARRAY['malware', 'unwanted', 'suspicious', 'test'])[1 + v % 4], v % 3, 'on_access', 'quarantined', '/home/user' || v % 900 || '/file' || i,
       md5('s' || i) || md5('t' || i), v % 4000000, '/usr/bin/wget', 'user' || v % 900, 'sim-engine',
       now() - (v % 15552000) * interval '1 second', now() - (v % 15552000) * interval '1 second',
       CASE WHEN v % 5 > 0 THEN now() END
FROM r, d;
RESET ROLE;
"""

ACCOUNT = """INSERT INTO $s.account (id, name, display_name, password_hash, must_change, language, set_ids, created_at)
SELECT gen_random_uuid(), 'admin', 'Bench', '$h', false, 'en', a.set_ids, now() FROM $b.account a LIMIT 1;
"""


def put(text, **values):
    for k, v in values.items():
        text = text.replace(f"${k}", str(v))
    return text


def step(text):
    print(f"    {text}", flush=True)
    return time.monotonic()


def furnish(h):
    """sekishod is stopped."""
    n, scale = len(h.small), h.scale
    began = step(f"preparing {n} schemas")
    h.cell.ctl("pool", "fill", "--to", n, timeout=1200)
    step(f"{time.monotonic() - began:.0f} s; giving them to tenants")
    for i in range(0, n, CHUNK):
        folder = h.dir / f"small-{i}"
        folder.mkdir()
        for name in h.small[i:i + CHUNK]:
            (folder / f"{name}.json").write_text(json.dumps(tenant(name)))
        h.service.made["changes"] += h.cell.ctl_json("apply", "-f", folder, timeout=600)["changes"]
    step("generating devices")
    script = h.dir / "rows.sql"
    encoded = cheap_hash(PASSWORD)
    with open(script, "w", encoding="utf-8") as f:
        f.write(put(ROWS, s=h.schema("big"), n=scale.big, d=scale.big // 2))
        for name in h.small:
            f.write(put(ACCOUNT, s=h.schema(name), b=h.schema("bench"), h=encoded))
            f.write(put(ROWS, s=h.schema(name), n=scale.per_tenant, d=scale.per_tenant // 2))
    psql(h, "-f", str(script), timeout=900)
    step("statistics")
    psql(h, "-c", f"VACUUM ANALYZE {h.schema('big')}.device", "-c", f"VACUUM ANALYZE {h.schema('big')}.detection",
         "-c", f"VACUUM ANALYZE {h.schema('big')}.seen", "-c", "CHECKPOINT")
    # Else the daemon would look at a thousand tenants while something is measured. Empty tables are left alone, as the daemon does
    # it: of a table that was found empty the planner believes that it stays so.
    script.write_text("".join(f"ANALYZE {tables};\n" for tables, in h.cell.sql(
        "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'r' AND n.nspname ~ '^(t_[0-9]+|control)$' AND pg_relation_size(c.oid) > 0 GROUP BY n.nspname")))
    psql(h, "-f", str(script), timeout=900)
    step(f"{time.monotonic() - began:.0f} s in all")
