/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c - agent.conf: defaults, lists, and one sentence for each mistake. */
#include "agent/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* after the headers that it needs */
#include <cmocka.h>

static char path[] = "/tmp/sekisho-config-XXXXXX";

static int make(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int drop(void **state)
{
    (void)state;
    return unlink(path);
}

static enum rc load(const char *text, struct agent_config *ret, char *why, size_t size)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return config_load(ret, path, false, NULL, 0, why, size);
}

static void refused(const char *text, const char *part)
{
    struct agent_config cfg;
    char why[400] = "";
    assert_int_equal(load(text, &cfg, why, sizeof(why)), RC_INVALID);
    if (!strstr(why, part))
        fail_msg("'%s' does not say '%s'", why, part);
}

static void test_defaults(void **state)
{
    (void)state;
    struct agent_config cfg;
    char why[400];
    assert_int_equal(load("", &cfg, why, sizeof(why)), RC_OK);
    assert_int_equal(cfg.server_port, 2222);
    assert_string_equal(cfg.root, "/");
    assert_string_equal(cfg.prevention, "block");
    assert_int_equal(cfg.watched_folders.n, 0);
    assert_int_equal(cfg.scan_targets.n, 4);
    assert_int_equal(config_complete(&cfg, why, sizeof(why)), RC_INVALID);
    assert_non_null(strstr(why, "server_host"));
    config_done(&cfg);
}

static void test_values(void **state)
{
    (void)state;
    struct agent_config cfg;
    char why[400];
    const char *text =
        "# comment\n\n server_host = sekisho.example \r\nserver_port=2223\nwatched_folders = /srv/a:/srv/b c::\n"
        "proxy = http://proxy.example:3128\nprevention = detect\ntoken = abc # not a comment\n";
    assert_int_equal(load(text, &cfg, why, sizeof(why)), RC_OK);
    assert_string_equal(cfg.server_host, "sekisho.example");
    assert_int_equal(cfg.server_port, 2223);
    assert_int_equal(cfg.watched_folders.n, 2);
    assert_string_equal(cfg.watched_folders.v[1], "/srv/b c");
    assert_string_equal(cfg.token, "abc # not a comment");
    assert_int_equal(config_complete(&cfg, why, sizeof(why)), RC_OK);
    struct arena *a = arena_new(65536);
    struct slice token;
    assert_int_equal(config_token(&cfg, a, &token), RC_OK);
    assert_true(slice_eq(token, SLICE("abc # not a comment")));
    assert_string_equal(config_path(&cfg, a, "/etc/hosts"), "/etc/hosts");
    assert_string_equal(config_state(&cfg, a, "agent"), "/var/lib/sekisho-agent/agent");
    arena_free(&a);
    config_done(&cfg);

    char *over[] = {"server_port=99", "root=/fixture/"};
    assert_int_equal(config_load(&cfg, path, false, over, 2, why, sizeof(why)), RC_OK);
    assert_int_equal(cfg.server_port, 99);
    a = arena_new(65536);
    assert_string_equal(config_path(&cfg, a, "/etc/hosts"), "/fixture/etc/hosts");
    arena_free(&a);
    config_done(&cfg);
}

static void test_mistakes(void **state)
{
    (void)state;
    refused("server_port = 70000\n", "1 to 65535");
    refused("server_port = 22x\n", "whole number");
    refused("\n\nserver_prt = 1\n", "line 3");
    refused("server_prt = 1\n", "'server_prt'");
    refused("interval = 5\ninterval = 6\n", "twice");
    refused("just text\n", "name = value");
    refused("prevention = maybe\n", "block|detect|off");
    refused("watched_folders = relative\n", "absolute");
    refused("state_dir = here\n", "absolute");
    refused("proxy = socks5://x:1\n", "http://host:port");
    refused("proxy = http://me:pw@x:1\n", "signing in");
    refused("server_host = a\x01b\n", "control characters");
    struct agent_config cfg;
    char why[400] = "", many[400];
    int n = snprintf(many, sizeof(many), "exclusions = ");
    for (int i = 0; i < 33; i++)
        n += snprintf(many + n, sizeof(many) - (size_t)n, "/a:");
    snprintf(many + n, sizeof(many) - (size_t)n, "\n");
    refused(many, "32");
    refused("token = a\x01secret\n", "***");
    unlink(path);
    assert_int_equal(config_load(&cfg, path, false, NULL, 0, why, sizeof(why)), RC_NOT_FOUND);
    assert_int_equal(config_load(&cfg, path, true, NULL, 0, why, sizeof(why)), RC_OK);
    config_done(&cfg);
    fclose(fopen(path, "w"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, make, drop);
}
