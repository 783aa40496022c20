/* SPDX-License-Identifier: Apache-2.0 */
/* tool_tenants.c - the snapshot's loader alone: prints a JSON line of all tenants at each change, until standard input
 * closes. For test_provision.py. */
/* links: tenant store call common */
#include "common/event.h"
#include "common/json.h"
#include "common/params.h"
#include "tenant/tenant.h"
#include <stdio.h>
#include <unistd.h>

static void changed(struct db *db, int64_t revision, void *arg)
{
    struct tenants *all = tenants_get();
    struct strbuf b;
    struct json_writer w;

    (void)db;
    (void)arg;
    strbuf_init(&b, 1024 * 1024);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "revision");
    json_int(&w, revision);
    json_key(&w, "tenants");
    json_object_open(&w);
    for (size_t i = 0; i < tenants_count(all); i++) {
        const struct tenant *t = tenants_at(all, i);

        json_key_slice(&w, slice_of(t->id));
        json_object_open(&w);
        json_key(&w, "no");
        json_int(&w, t->no);
        json_key(&w, "slice");
        json_int(&w, t->slice);
        json_key(&w, "suspended");
        json_str(&w, slice_of(t->status == TENANT_SUSPENDED ? t->suspended_reason : ""));
        json_key(&w, "seats");
        json_int(&w, t->seats);
        json_key(&w, "min_interval");
        json_int(&w, t->min_interval);
        json_key(&w, "api_rate");
        json_int(&w, t->api_rate);
        json_key(&w, "multi_user");
        json_bool(&w, t->entitlements & ENTITLED(multi_user));
        json_key(&w, "ca_der");
        json_int(&w, (int64_t)t->ca_der_n);
        json_object_close(&w);
    }
    json_object_close(&w);
    json_object_close(&w);
    puts(b.p);
    fflush(stdout);
    strbuf_done(&b);
    tenants_put(all);
}

int main(int argc, char **argv)
{
    struct params params;
    char why[400], c;

    event_setup(EVENT_ERROR, NULL);
    if (argc != 2 || params_load(&params, argv[1], NULL, 0, why, sizeof(why)) != RC_OK)
        return 2;
    tenant_on_change(changed, NULL);
    tenant_start(&params);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    tenant_stop();
    return 0;
}
