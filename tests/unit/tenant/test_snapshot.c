/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c - look-ups in a snapshot, its life under scopes, and swapping while others read. */
/* links: tenant store call common */
#include "call/make_principal.h"
#include "tenant/snapshot.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct tenants *make(int64_t revision, int n)
{
    static struct tenant list[64];
    struct tenant_host hosts[] = {{"acme.example.com", 3}, {"gone.example.com", 999}};
    char pem[] = "-----BEGIN CERTIFICATE-----\nAAEC/v8=\n-----END CERTIFICATE-----\n";

    for (int i = 0; i < n; i++) {
        list[i] = (struct tenant){.no = i * 2 + 1, .status = TENANT_ACTIVE, .ca_pem = pem, .slice = i % 2};
        snprintf(list[i].id, sizeof(list[i].id), "tenant-%d", list[i].no);
    }
    return tenants_make(revision, list, (size_t)n, hosts, 2);
}

static void look_ups(void **state)
{
    struct tenants *t = make(7, 10);

    (void)state;
    assert_int_equal(tenants_revision(t), 7);
    assert_int_equal(tenants_count(t), 10);
    assert_int_equal(tenants_by_no(t, 19)->no, 19);
    assert_null(tenants_by_no(t, 2));
    assert_null(tenants_by_no(t, 0));
    assert_null(tenants_by_no(t, 21));
    assert_int_equal(tenants_by_id(t, SLICE("tenant-5"))->no, 5);
    assert_null(tenants_by_id(t, SLICE("tenant-")));
    assert_int_equal(tenants_by_host(t, SLICE("ACME.example.com:8443"))->no, 3);
    assert_null(tenants_by_host(t, SLICE("gone.example.com")));
    assert_null(tenants_by_host(t, SLICE("")));
    assert_int_equal(tenants_at(t, 1)->ca_der_n, 5);
    assert_memory_equal(tenants_at(t, 1)->ca_der, "\x00\x01\x02\xfe\xff", 5);
    tenants_put(t);
}

static void a_scope_keeps_its_snapshot(void **state)
{
    struct arena *a = arena_new(65536);
    const struct tenant_scope *s;

    (void)state;
    tenants_publish(make(1, 3));
    s = tenant_scope_of(a, principal_service(a, 5));
    assert_non_null(s);
    tenants_publish(make(2, 1));
    assert_string_equal(scope_tenant(s)->id, "tenant-5");
    assert_null(tenant_scope_of(a, principal_service(a, 5)));
    assert_null(tenant_scope_by_no(a, 3));
    assert_non_null(tenant_scope_by_id(a, SLICE("tenant-1")));
    arena_free(&a);
    tenants_publish(NULL);
}

static atomic_bool stop;

static void *reader(void *arg)
{
    size_t *seen = arg;

    while (!atomic_load(&stop)) {
        struct tenants *t = tenants_get();

        for (size_t i = 0; i < tenants_count(t); i++)
            *seen += (size_t)tenants_at(t, i)->no;
        tenants_put(t);
    }
    return NULL;
}

static void swap_under_readers(void **state)
{
    pthread_t threads[2];
    size_t seen[2] = {0};

    (void)state;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reader, &seen[i]);
    for (int i = 0; i < 300; i++)
        tenants_publish(make(i, i % 20 + 1));
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tenants_publish(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups),
        cmocka_unit_test(a_scope_keeps_its_snapshot),
        cmocka_unit_test(swap_under_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
