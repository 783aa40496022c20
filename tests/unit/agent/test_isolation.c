/* SPDX-License-Identifier: Apache-2.0 */
/* test_isolation.c - rules, the saved wish, and which ends stay open. The rules themselves are tried in a network
 * namespace by tests/integration/agent_protect. Here a script stands for nft and keeps what it is given. */
#include "agent/isolation.h"
#include "agent/resolve.h"
#include "common/file.h"
#include "common/must.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], script[96], given[96], file[96];
static struct arena *a;
static struct isolation_place place;

static void nft(const char *body)
{
    must(file_write(script, slice_of(arena_printf(a, "#!/bin/sh\ncat > %s\n%s\n", given, body)), 0755) == RC_OK);
}

static int setup(void **state)
{
    (void)state;
    a = arena_new(1 << 20);
    snprintf(dir, sizeof(dir), "/tmp/test-isolation-XXXXXX");
    must(mkdtemp(dir));
    snprintf(script, sizeof(script), "%s/nft", dir);
    snprintf(given, sizeof(given), "%s/given", dir);
    snprintf(file, sizeof(file), "%s/isolation", dir);
    place = (struct isolation_place){script, "", file};
    nft("exit 0");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(script);
    unlink(given);
    unlink(file);
    must(rmdir(dir) == 0);
    arena_free(&a);
    return 0;
}

static const char *said(void)
{
    struct slice s;
    assert_int_equal(file_read(a, given, 1 << 20, &s), RC_OK);
    return s.p;
}

static struct isolation some(void)
{
    struct isolation i = {.n = 0};
    assert_true(isolation_add(&i, "10.0.0.2", 2222, ISOLATION_TCP));
    assert_true(isolation_add(&i, "fd00:0::2", 2222, ISOLATION_TCP));
    assert_true(isolation_add(&i, "10.0.0.53", 53, ISOLATION_DNS));
    return i;
}

static void takes_only_addresses(void **state)
{
    static const char *const bad[] = {"",          "host",       "10.0.0",       "10.0.0.2 }", "::g",
                                      "10.0.0.2;", "1.2.3.4/24", "fe80::1%eth0", "999.1.1.1"};
    struct isolation i = {.n = 0};
    (void)state;
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_false(isolation_add(&i, bad[k], 80, ISOLATION_TCP));
    assert_false(isolation_add(&i, "10.0.0.2", 0, ISOLATION_TCP));
    assert_false(isolation_add(&i, "10.0.0.2", 65536, ISOLATION_TCP));
    assert_int_equal(i.n, 0);
    assert_true(isolation_add(&i, "fd00:0:0::2", 80, ISOLATION_TCP));
    assert_true(isolation_add(&i, "fd00::2", 80, ISOLATION_TCP));
    assert_int_equal(i.n, 1);
    assert_string_equal(i.v[0].address, "fd00::2");
    char text[32];
    for (int k = 0; k < 100; k++) {
        snprintf(text, sizeof(text), "10.1.0.%d", k);
        bool ok = isolation_add(&i, text, 80, ISOLATION_TCP);
        assert_true(ok == (k < ISOLATION_MAX - 1));
    }
}

static void writes_rules(void **state)
{
    struct isolation i = some();
    struct strbuf b;
    (void)state;
    strbuf_init(&b, 65536);
    isolation_rules(&b, &i);
    assert_non_null(strstr(b.p, "table inet sekisho_isolation\ndelete table inet sekisho_isolation\n"));
    assert_non_null(strstr(b.p, "set server4 { type ipv4_addr . inet_service; elements = { 10.0.0.2 . 2222 }"));
    assert_non_null(strstr(b.p, "set server6 { type ipv6_addr . inet_service; elements = { fd00::2 . 2222 }"));
    assert_non_null(strstr(b.p, "set names4 { type ipv4_addr . inet_service; elements = { 10.0.0.53 . 53 }"));
    assert_non_null(strstr(b.p, "set names6 { type ipv6_addr . inet_service;\n  }"));
    strbuf_done(&b);
}

static void keeps_the_wish(void **state)
{
    char why[200] = "";
    struct isolation i = some();
    struct stat st;
    (void)state;
    assert_int_equal(isolation_resume(&place, why, sizeof(why)), RC_NOT_FOUND);
    assert_int_equal(isolation_begin(&place, &i, why, sizeof(why)), RC_OK);
    assert_true(isolation_wished(file));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *first = arena_strdup(a, said());
    assert_int_equal(isolation_resume(&place, why, sizeof(why)), RC_OK);
    assert_string_equal(said(), first);
    assert_int_equal(isolation_end(&place, why, sizeof(why)), RC_OK);
    assert_false(isolation_wished(file));
    assert_string_equal(said(), "table inet sekisho_isolation\ndelete table inet sekisho_isolation\n");
}

static void withdraws_what_does_not_work(void **state)
{
    char why[200] = "";
    struct isolation i = some();
    (void)state;
    nft("echo 'Error: Operation not permitted' >&2; exit 1");
    assert_int_equal(isolation_begin(&place, &i, why, sizeof(why)), RC_DENIED);
    assert_string_equal(why, "nft: Error: Operation not permitted");
    assert_false(isolation_wished(file));
    nft("exit 0");
    assert_int_equal(isolation_begin(&place, &i, why, sizeof(why)), RC_OK);
    struct slice before, after;
    assert_int_equal(file_read(a, file, 4096, &before), RC_OK);
    /* a second wish that fails leaves the first; an end that fails leaves it too */
    nft("exit 1");
    struct isolation other = {.n = 0};
    assert_true(isolation_add(&other, "10.9.9.9", 1, ISOLATION_TCP));
    assert_int_equal(isolation_begin(&place, &other, why, sizeof(why)), RC_DENIED);
    assert_int_equal(file_read(a, file, 4096, &after), RC_OK);
    assert_true(slice_eq(before, after));
    assert_int_equal(isolation_end(&place, why, sizeof(why)), RC_DENIED);
    assert_true(isolation_wished(file));
    place.nft = "/nonexistent/nft";
    assert_int_equal(isolation_begin(&place, &i, why, sizeof(why)), RC_UNAVAILABLE);
    assert_string_equal(why, "/nonexistent/nft is not installed");
}

static void damage_opens_less(void **state)
{
    char why[200] = "";
    (void)state;
    assert_int_equal(
        file_write(file, SLICE("tcp 10.0.0.2 2222\ntcp 10.0.0.3; 1\nudp 10.0.0.4 1\n\ntcp 10.0.0.5\n"), 0600), RC_OK);
    assert_int_equal(isolation_resume(&place, why, sizeof(why)), RC_OK);
    assert_string_equal(why, "a damaged line was left out");
    assert_non_null(strstr(said(), "elements = { 10.0.0.2 . 2222 }"));
    assert_null(strstr(said(), "10.0.0.3"));
}

static void splits_ends(void **state)
{
    char host[256];
    int port;
    (void)state;
    assert_true(resolve_split(SLICE("name.example:443"), host, &port));
    assert_string_equal(host, "name.example");
    assert_int_equal(port, 443);
    assert_true(resolve_split(SLICE("[fd00::2]:80"), host, &port));
    assert_string_equal(host, "fd00::2");
    static const char *const bad[] = {"", ":", "name", "name:", ":80", "name:0", "name:65536", "name:8x"};
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_false(resolve_split(slice_of(bad[k]), host, &port));
}

static void finds_name_servers_and_hosts(void **state)
{
    struct isolation i = {.n = 0};
    (void)state;
    resolve_nameservers(
        &i, SLICE("# nameserver 1.1.1.1\nnameserver 10.0.0.53\n nameserver\tfd00::53 \nnameserver bad\nsearch x\n"));
    assert_int_equal(i.n, 2);
    assert_int_equal(i.v[0].kind, ISOLATION_DNS);
    struct slice hosts = SLICE("127.0.0.1\tlocalhost\n10.0.0.2 Server.Example server # other\n");
    assert_true(resolve_in_hosts(hosts, "localhost"));
    assert_true(resolve_in_hosts(hosts, "server.example"));
    assert_true(resolve_in_hosts(hosts, "server"));
    assert_false(resolve_in_hosts(hosts, "other"));
    assert_false(resolve_in_hosts(hosts, "10.0.0.2"));
}

static void finds_open_ends(void **state)
{
    struct agent_config cfg;
    struct isolation i;
    char why[300], failed[256], root[80], etc[100];
    (void)state;
    snprintf(root, sizeof(root), "root=%s", dir);
    snprintf(etc, sizeof(etc), "%s/etc", dir);
    must(file_mkdirs(etc, 0755) == RC_OK);
    must(file_write(arena_printf(a, "%s/resolv.conf", etc), SLICE("nameserver 10.0.0.53\n"), 0644) == RC_OK);
    char server[] = "server_host=localhost", port[] = "server_port=2222";
    must(config_load(&cfg, NULL, true, (char *[]){server, port, root}, 3, why, sizeof(why)) == RC_OK);
    assert_int_equal(resolve_open_ends(&cfg, NULL, 0, &i, failed), RC_OK);
    assert_true(i.n >= 2); /* the server, and the name server for it is a name */
    assert_int_equal(i.v[0].port, 2222);
    assert_string_equal(i.v[i.n - 1].address, "10.0.0.53");
    char allow1[] = "10.1.1.1:80", allow2[] = "no-such-name.invalid:80";
    assert_int_equal(resolve_open_ends(&cfg, (char *[]){allow1, allow2}, 2, &i, failed), RC_UNAVAILABLE);
    assert_string_equal(failed, "no-such-name.invalid:80");
    config_done(&cfg);
    char address[] = "server_host=10.0.0.2", proxy[] = "proxy=http://10.0.0.9:3128";
    must(config_load(&cfg, NULL, true, (char *[]){address, proxy, root}, 3, why, sizeof(why)) == RC_OK);
    assert_int_equal(resolve_open_ends(&cfg, (char *[]){allow1}, 1, &i, failed), RC_OK);
    assert_int_equal(i.n, 2);
    assert_string_equal(i.v[0].address, "10.0.0.9");
    assert_int_equal(i.v[0].port, 3128);
    config_done(&cfg);
    unlink(arena_printf(a, "%s/resolv.conf", etc));
    rmdir(etc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_only_addresses),
        cmocka_unit_test(writes_rules),
        cmocka_unit_test_setup_teardown(keeps_the_wish, setup, teardown),
        cmocka_unit_test_setup_teardown(withdraws_what_does_not_work, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_opens_less, setup, teardown),
        cmocka_unit_test(splits_ends),
        cmocka_unit_test(finds_name_servers_and_hosts),
        cmocka_unit_test_setup_teardown(finds_open_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
