/* SPDX-License-Identifier: Apache-2.0 */
/* test_params.c - configuration: what is read, refused, reloaded and printed. */
/* links: common */
#include "unit.h"

#include "common/params.h"

#define REQUIRED \
    "tls_certificate=c", "tls_key=k", "ca_file=ca", "keyring=kr", "database=dbname=x password=hunter2", "migrations=m"
#define N_REQUIRED 6

static struct arena *arena;
static char *folder;
static char *path;
static struct params params;
static char why[400];
static char *required[] = {REQUIRED};

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    folder = unit_folder();
    path = arena_printf(arena, "%s/sekishod.conf", folder);
    memset(&params, 0, sizeof(params));
    why[0] = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unit_folder_remove(folder);
    arena_free(&arena);
    return 0;
}

static enum rc load(const char *text)
{
    unit_write(path, text, 0600);
    return params_load(&params, path, required, N_REQUIRED, why, sizeof(why));
}

static void assert_refused(const char *text, const char *reason)
{
    assert_int_equal(load(text), RC_INVALID);
    if (!strstr(why, reason))
        fail_msg("\"%s\" does not contain \"%s\"", why, reason);
}

static void defaults_stand_without_a_file(void **state)
{
    (void)state;
    assert_int_equal(params_load(&params, NULL, required, N_REQUIRED, why, sizeof(why)), RC_OK);
    assert_string_equal(params.console_listen, "127.0.0.1:8443");
    assert_int_equal(params.agent_port, 2222);
    assert_false(params.log_debug);
    assert_string_equal(params.tls_certificate, "c");
    assert_string_equal(params.database, "dbname=x password=hunter2"); /* cut at the first '=' only */
}

static void a_file_is_read(void **state)
{
    (void)state;
    assert_int_equal(load("# a comment\n"
                          "\n"
                          "  \t # another\r\n"
                          "loops=2\n"
                          "  replica   =   b two  # not part of it\r\n"
                          "log_debug = true\n"
                          "redis_password = \" #1 \"  # quoted\n"
                          "redis = host#1\n"
                          "web_root = \n"
                          "modules = \"\"\n"
                          "log_file = /var/log/関所.log"),
                     RC_OK);
    assert_int_equal(params.loops, 2);
    assert_string_equal(params.replica, "b two");
    assert_true(params.log_debug);
    assert_string_equal(params.redis_password, " #1 ");
    assert_string_equal(params.redis, "host#1");
    assert_string_equal(params.web_root, "");
    assert_string_equal(params.modules, "");
    assert_string_equal(params.log_file, "/var/log/関所.log");
}

static void overrides_win(void **state)
{
    char *overrides[] = {REQUIRED, "loops=3", "replica=z", "loops=4"};

    (void)state;
    unit_write(path, "loops = 2\n", 0600);
    assert_int_equal(params_load(&params, path, overrides, N_REQUIRED + 3, why, sizeof(why)), RC_OK);
    assert_int_equal(params.loops, 4);
    assert_string_equal(params.replica, "z");
}

static void mistakes_are_named_with_file_and_line(void **state)
{
    char *place = arena_printf(arena, "%s:3: ", path);

    (void)state;
    assert_refused("loops = 1\n\nlops = 2\n", place);
    assert_refused("\n\nlops = 2\n", "unknown parameter \"lops\"");
    assert_refused("\n\nloops\n", place);
    assert_refused("loops = 1\n# x\nloops = 1\n", place);
    assert_refused("loops = 1\n# x\nloops = 1\n", "first in line 1");
    assert_refused("\n\nloops = 17\n", place);
    assert_refused("loops = 17\n", "loops: \"17\" is not allowed; it must be a whole number from 1 to 16 threads");
    assert_refused("loops = 0\n", "from 1 to 16");
    assert_refused("loops = two\n", "\"two\"");
    assert_refused("loops =\n", "\"\"");
    assert_refused("loops = 1 2\n", "\"1 2\"");
    assert_refused("log_debug = yes\n", "true or false");
    assert_refused("replica = a\x01"
                   "b\n",
                   "plain text");
    assert_refused("replica = \xff\n", "plain text");
    assert_refused("= 1\n", "unknown parameter \"\"");
}

static void nothing_changes_on_error(void **state)
{
    (void)state;
    assert_int_equal(load("loops = 5\n"), RC_OK);
    assert_int_equal(load("loops = 6\nnonsense = 1\n"), RC_INVALID);
    assert_int_equal(params.loops, 5);
}

static void what_is_required_is_asked_for(void **state)
{
    (void)state;
    for (int i = 0; i < N_REQUIRED; i++) {
        char *all[] = {REQUIRED};
        struct slice rest = slice_of(all[i]);

        all[i] = all[(i + 1) % N_REQUIRED]; /* instead of itself */
        assert_int_equal(params_load(&params, NULL, all, N_REQUIRED, why, sizeof(why)), RC_INVALID);
        assert_non_null(strstr(why, arena_cstr(arena, slice_cut(&rest, '='))));
        assert_non_null(strstr(why, "is required"));
    }
}

static void files_that_cannot_be_read(void **state)
{
    char *big = arena_alloc(arena, 70000);

    (void)state;
    assert_int_equal(params_load(&params, path, required, N_REQUIRED, why, sizeof(why)), RC_NOT_FOUND);
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, "No such file"));
    memset(big, '#', 69999);
    assert_int_equal(load(big), RC_OVER_QUOTA);
    assert_int_equal(params_load(&params, folder, required, N_REQUIRED, why, sizeof(why)), RC_INVALID);
}

static void overrides_are_checked_too(void **state)
{
    char *cases[][2] = {{"loops", "name=value"}, {"lops=1", "unknown"}, {"loops=x", "whole number"}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(params_load(&params, NULL, &cases[i][0], 1, why, sizeof(why)), RC_INVALID);
        assert_non_null(strstr(why, cases[i][1]));
    }
}

static void a_short_buffer_is_not_passed(void **state)
{
    char guard[20];

    (void)state;
    unit_write(path, "nonsense = 1\n", 0600);
    for (size_t n = 0; n < sizeof(guard); n++) {
        memset(guard, '~', sizeof(guard));
        assert_int_equal(params_load(&params, path, NULL, 0, guard, n), RC_INVALID);
        for (size_t i = n; i < sizeof(guard); i++)
            assert_int_equal(guard[i], '~');
        assert_int_equal(params_load(&params, "/none", NULL, 0, guard, n), RC_NOT_FOUND);
        assert_true(n == 0 || memchr(guard, 0, n));
    }
}

static void reloading_takes_what_it_may(void **state)
{
    (void)state;
    assert_int_equal(load("queue_age = 1000\nloops = 1\ntls_key = /a\n"), RC_OK);
    unit_write(path, "queue_age = 2000\nloops = 2\nslices = 3\nlog_debug = true\n", 0600);
    assert_int_equal(params_reload(&params, path, required, N_REQUIRED, why, sizeof(why)), RC_OK);
    assert_int_equal(params.queue_age, 2000);
    assert_true(params.log_debug);
    assert_string_equal(params.tls_key, "k");
    assert_int_equal(params.loops, 1);
    assert_int_equal(params.slices, 2);
    assert_string_equal(why, "a restart is needed for: loops, slices"); /* in the order of the table */
    assert_int_equal(load("queue_age = 1000\n"), RC_OK);
    assert_int_equal(params_reload(&params, path, required, N_REQUIRED, why, sizeof(why)), RC_OK);
    assert_string_equal(why, "");
    unit_write(path, "queue_age = 5000\nnonsense = 1\n", 0600);
    assert_int_equal(params_reload(&params, path, required, N_REQUIRED, why, sizeof(why)), RC_INVALID);
    assert_int_equal(params.queue_age, 1000);
}

static char *printed(void (*print)(FILE *), bool values)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    char *kept;

    assert_non_null(f);
    if (values)
        params_print(f, &params);
    else
        print(f);
    fclose(f);
    kept = arena_strdup(arena, text);
    free(text);
    return kept;
}

static void secrets_are_masked(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(load("redis_password = \"opensesame\"\nreplica = \"x #y\"\n"), RC_OK);
    text = printed(NULL, true);
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "opensesame"));
    assert_non_null(strstr(text, "database = ***\n"));
    assert_non_null(strstr(text, "owner_database = \n")); /* empty shows as empty */
    assert_non_null(strstr(text, "replica = \"x #y\"\n"));
    assert_refused("redis_password = s3cr\x01t\n", "redis_password");
    assert_null(strstr(why, "s3cr"));
}

static void what_is_printed_can_be_read(void **state)
{
    struct params before;
    char *text;

    (void)state;
    assert_int_equal(load("replica = \"x #y\"\nloops = 7\nlog_debug = true\n"), RC_OK);
    before = params;
    text = printed(NULL, true);
    assert_int_equal(load(text), RC_OK);
    assert_string_equal(params.replica, before.replica);
    assert_int_equal(params.loops, 7);
    assert_true(params.log_debug);
    assert_string_equal(params.console_listen, before.console_listen);
}

static void help_names_all(void **state)
{
    static const char *const names[] = {
#define PARAM_STR(name, def, flags, help)                 #name,
#define PARAM_INT(name, def, min, max, unit, flags, help) #name,
#define PARAM_BOOL(name, def, flags, help)                #name,
#include "common/params.def"
    };
    char *help = printed(params_print_help, false);
    char *markdown = printed(params_print_markdown, false);

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_non_null(strstr(help, arena_printf(arena, "%s (", names[i])));
        assert_non_null(strstr(markdown, arena_printf(arena, "| `%s` |", names[i])));
    }
    assert_non_null(strstr(help, "queue_age (100 to 60000 ms; default 3000; reloadable)\n"));
    assert_non_null(strstr(help, "tls_key (text; required; reloadable)\n"));
    assert_non_null(strstr(help, "log_debug (true, false; default false; reloadable)\n"));
}

#define PARAMS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARAMS_TEST(defaults_stand_without_a_file),
        PARAMS_TEST(a_file_is_read),
        PARAMS_TEST(overrides_win),
        PARAMS_TEST(mistakes_are_named_with_file_and_line),
        PARAMS_TEST(nothing_changes_on_error),
        PARAMS_TEST(what_is_required_is_asked_for),
        PARAMS_TEST(files_that_cannot_be_read),
        PARAMS_TEST(overrides_are_checked_too),
        PARAMS_TEST(a_short_buffer_is_not_passed),
        PARAMS_TEST(reloading_takes_what_it_may),
        PARAMS_TEST(secrets_are_masked),
        PARAMS_TEST(what_is_printed_can_be_read),
        PARAMS_TEST(help_names_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
