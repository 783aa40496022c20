/* SPDX-License-Identifier: Apache-2.0 */
/* cell_verbs.c - sekishoctl bootstrap and migrate: the cell as a whole. */
#include "ctl/ctl.h"
#include "provision/bootstrap.h"

static void show_migrated(struct ctl *c, const struct migrate_report *m)
{
    ctl_put_int(c, "control_from", m->control_from);
    ctl_put_int(c, "control_to", m->control_to);
    ctl_put_int(c, "tenant_version", m->tenant_latest);
    ctl_put_int(c, "tenants_migrated", m->migrated);
    ctl_say(c, "control %d -> %d; %lld tenants brought to %d", m->control_from, m->control_to, (long long)m->migrated,
            m->tenant_latest);
}

int verb_bootstrap(struct ctl *c)
{
    const char *admin = ctl_option(c, "--admin", NULL);
    struct bootstrap_report r;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = bootstrap_run(&c->owner, c->arena, admin, &r);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json) {
        json_key(&c->w, "done");
        json_array_open(&c->w);
        for (size_t i = 0; i < r.n_done; i++)
            json_str(&c->w, slice_of(r.done[i]));
        json_array_close(&c->w);
    }
    for (size_t i = 0; i < r.n_done; i++)
        ctl_say(c, "%s", r.done[i]);
    show_migrated(c, &r.migrated);
    return ctl_flush(c, EXIT_DONE);
}

int verb_migrate_run(struct ctl *c)
{
    const char *text = ctl_option(c, "--connections", "2");
    struct migrate_report m;
    int connections;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL) || !ctl_int(c, "--connections", text, 1, 4, &connections))
        return EXIT_USAGE;
    rc = migrate_run(&c->owner, connections, &m);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    show_migrated(c, &m);
    return ctl_flush(c, EXIT_DONE);
}

int verb_migrate_status(struct ctl *c)
{
    struct migrate_status s;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = migrate_status(&c->owner, &s);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put_int(c, "control_version", s.control_version);
    ctl_put_int(c, "control_latest", s.control_latest);
    ctl_put_int(c, "tenant_latest", s.tenant_latest);
    ctl_put_int(c, "tenants", s.tenants);
    ctl_put_int(c, "tenants_behind", s.behind);
    ctl_put_int(c, "oldest_version", s.oldest);
    ctl_say(c, "control: version %d of %d", s.control_version, s.control_latest);
    ctl_say(c, "tenants: %lld, of which %lld are behind version %d (the oldest has %d)", (long long)s.tenants,
            (long long)s.behind, s.tenant_latest, s.oldest);
    return ctl_flush(c, EXIT_DONE);
}
