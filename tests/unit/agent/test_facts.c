/* SPDX-License-Identifier: Apache-2.0 */
/* test_facts.c - the readers against tests/fixtures/agent-root, and against roots where everything is missing or
 * broken. */
#include "agent/facts/facts.h"
#include "common/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmp.h>
/* after the headers that it needs */
#include <cmocka.h>

static struct agent_config cfg_of(const char *root)
{
    struct agent_config cfg;
    char why[400], over[512];
    snprintf(over, sizeof(over), "root=%s", root);
    char *overrides[] = {over};
    assert_int_equal(config_load(&cfg, NULL, true, overrides, 1, why, sizeof(why)), RC_OK);
    return cfg;
}

static const char *value(const struct fact_rows *rows, const char *key)
{
    for (size_t i = 0; i < rows->n; i++)
        if (slice_eq(rows->v[i].key, slice_of(key)))
            return rows->v[i].value.p;
    return NULL;
}

#define assert_value(rows, key, text)          \
    do {                                       \
        const char *v_ = value((rows), (key)); \
        if (!v_)                               \
            fail_msg("no row %s", (key));      \
        else                                   \
            assert_string_equal(v_, (text));   \
    } while (0)

#define FIXTURE SEKISHO_SOURCE "/tests/fixtures/agent-root"

static void test_identity_and_os(void **state)
{
    (void)state;
    struct agent_config cfg = cfg_of(FIXTURE);
    struct fact_rows rows = {.a = arena_new(1 << 20)}, os = {.a = rows.a};
    facts_identity(&cfg, "9.8.7", &rows);
    assert_int_equal(rows.n, 1);
    const char *v = value(&rows, "-");
    assert_non_null(strstr(v, "\"hostname\":\"desk-07\""));
    assert_non_null(strstr(v, "\"fqdn\":\"desk-07.office.example\""));
    assert_non_null(strstr(v, "\"agent_version\":\"9.8.7\""));
    assert_null(strstr(v, "0123456789abcdef0123456789abcdef")); /* the id itself stays here */
    assert_int_equal(strlen(facts_machine_id(&cfg, rows.a)), 64);
    assert_string_equal(facts_boot_id(&cfg, rows.a), "3f2c6c1e-7a0f-4b0e-9d53-0d3d7c2f4a11");
    facts_os(&cfg, &os);
    assert_value(&os, "-",
                 "{\"family\":\"linux\",\"name\":\"Debian GNU/Linux\",\"version\":\"12 "
                 "(bookworm)\",\"kernel\":\"6.1.0-18-amd64\","
                 "\"architecture\":\"x86_64\",\"time_zone\":\"Asia/"
                 "Tokyo\",\"locale\":\"ja_JP.UTF-8\",\"boot_at\":\"2024-11-23T22:13:20Z\"}");
    assert_false(facts_restart_required(&cfg));
    arena_free(&rows.a);
    config_done(&cfg);
}

static void test_hardware(void **state)
{
    (void)state;
    struct agent_config cfg = cfg_of(FIXTURE);
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    facts_hardware(&cfg, &rows);
    assert_value(&rows, "machine",
                 "{\"vendor\":\"Example Corp\",\"model\":\"Desk 9000\",\"serial\":\"SN-0042\",\"cpu\":\"Intel(R) "
                 "Core(TM) i5-8250U CPU @ "
                 "1.60GHz\",\"cpu_cores\":2,\"memory\":8241741824}");
    assert_value(&rows, "disk:sda", "{\"model\":\"EXAMPLE SSD 256\",\"size\":256060514304}");
    assert_non_null(value(&rows, "disk:nvme0n1"));
    assert_null(value(&rows, "disk:loop0"));
    assert_non_null(value(&rows, "fs:/"));
    assert_non_null(value(&rows, "fs:/home"));
    assert_null(value(&rows, "fs:/var/bind")); /* the same device again */
    assert_null(value(&rows, "fs:/mnt/nas"));
    assert_int_equal(rows.n, 5);
    json_error_t e;
    json_t *v = json_loads(value(&rows, "fs:/"), 0, &e);
    json_int_t size = json_integer_value(json_object_get(v, "size")),
               free_space = json_integer_value(json_object_get(v, "free"));
    assert_true(size > 0 && free_space <= size);
    assert_int_equal(free_space % (size / 100), 0); /* in steps of one percent */
    json_decref(v);
    arena_free(&rows.a);
    config_done(&cfg);
}

static void test_network(void **state)
{
    (void)state;
    struct agent_config cfg = cfg_of(FIXTURE);
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    facts_network(&cfg, &rows);
    assert_int_equal(rows.n, 2);
    assert_value(&rows, "eth0",
                 "{\"mac\":\"02:00:5e:10:00:01\",\"state\":\"up\",\"speed\":1000,\"addresses\":[\"192.0.2.17\",\"2001:"
                 "db8::17\"]}");
    assert_value(&rows, "wlan0", "{\"mac\":\"02:00:5e:10:00:02\",\"state\":\"down\"}");
    arena_free(&rows.a);
    config_done(&cfg);
    cfg = cfg_of("/");
    rows = (struct fact_rows){.a = arena_new(1 << 20)};
    facts_network(&cfg, &rows); /* of this machine: whatever it has, without a fault */
    arena_free(&rows.a);
    config_done(&cfg);
}

static void test_software(void **state)
{
    (void)state;
    struct agent_config cfg = cfg_of(FIXTURE);
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    facts_software(&cfg, &rows);
    assert_int_equal(rows.n, 4);
    const char *v = value(&rows, "adduser:all");
    assert_non_null(
        strstr(v, "\"version\":\"3.134\",\"vendor\":\"Debian Adduser Developers <adduser@packages.debian.org>\","
                  "\"architecture\":\"all\",\"size\":869376,\"installed_at\":\""));
    assert_non_null(value(&rows, "libc6:amd64"));
    assert_non_null(strstr(value(&rows, "libc6:amd64"), "installed_at"));
    assert_value(&rows, "libc6:i386",
                 "{\"version\":\"2.36-9+deb12u7\",\"vendor\":\"GNU Libc Maintainers "
                 "<debian-glibc@lists.debian.org>\",\"architecture\":\"i386\"}");
    assert_null(value(&rows, "removed-one:amd64"));
    assert_null(value(&rows, "half:amd64"));
    assert_non_null(strstr(value(&rows, "na\xc3\xafve-editor:amd64"), "山田太郎"));
    assert_true(facts_software_stamp(&cfg) != 0);
    arena_free(&rows.a);
    config_done(&cfg);
}

static void write_utmp(const char *path)
{
    struct utmp u[5];
    memset(u, 0, sizeof(u));
    static const struct {
        short type;
        const char *user, *line;
        int32_t at;
    } rows[] = {{USER_PROCESS, "hanako", "tty2", 1000},
                {USER_PROCESS, "hanako", "pts/0", 900},
                {BOOT_TIME, "reboot", "~", 1},
                {DEAD_PROCESS, "taro", "pts/1", 5},
                {USER_PROCESS, "jiro", "pts/2", 2000}};
    for (size_t i = 0; i < 5; i++) {
        u[i].ut_type = rows[i].type;
        memcpy(u[i].ut_user, rows[i].user, strlen(rows[i].user));
        memcpy(u[i].ut_line, rows[i].line, strlen(rows[i].line));
        u[i].ut_tv.tv_sec = rows[i].at;
    }
    FILE *f = fopen(path, "w");
    fwrite(u, sizeof(u), 1, f);
    fwrite("torn", 4, 1, f);
    fclose(f);
}

static void test_users(void **state)
{
    (void)state;
    char root[] = "/tmp/sekisho-root-XXXXXX", path[128];
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/run", root);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/run/utmp", root);
    struct agent_config cfg = cfg_of(root);
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    facts_users(&cfg, &rows);
    assert_int_equal(rows.n, 0);
    assert_int_equal(facts_users_stamp(&cfg), 0);
    write_utmp(path);
    facts_users(&cfg, &rows);
    assert_int_equal(rows.n, 2);
    assert_value(&rows, "hanako", "{\"terminal\":\"pts/0\",\"since\":\"1970-01-01T00:15:00Z\"}");
    assert_value(&rows, "jiro", "{\"terminal\":\"pts/2\",\"since\":\"1970-01-01T00:33:20Z\"}");
    assert_true(facts_users_stamp(&cfg) != 0);
    unlink(path);
    snprintf(path, sizeof(path), "%s/run/reboot-required", root);
    fclose(fopen(path, "w"));
    assert_true(facts_restart_required(&cfg));
    unlink(path);
    snprintf(path, sizeof(path), "%s/run", root);
    rmdir(path);
    rmdir(root);
    arena_free(&rows.a);
    config_done(&cfg);
}

static void read_everything(const struct agent_config *cfg)
{
    struct fact_rows rows = {.a = arena_new(64 << 20)};
    facts_identity(cfg, "1", &rows);
    facts_os(cfg, &rows);
    facts_hardware(cfg, &rows);
    facts_network(cfg, &rows);
    facts_software(cfg, &rows);
    facts_users(cfg, &rows);
    assert_true(rows.n >= 3);
    for (size_t i = 0; i < rows.n; i++) {
        json_error_t e;
        json_t *v = json_loadb(rows.v[i].value.p, rows.v[i].value.n, 0, &e);
        assert_true(json_is_object(v));
        json_decref(v);
    }
    arena_free(&rows.a);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct agent_config cfg = cfg_of("/nonexistent");
    struct arena *a = arena_new(65536);
    assert_string_equal(facts_hostname(&cfg, a), "unknown");
    assert_string_equal(facts_machine_id(&cfg, a), "");
    read_everything(&cfg);
    arena_free(&a);
    config_done(&cfg);
    cfg = cfg_of("/");
    read_everything(&cfg);
    config_done(&cfg);
}

static void make_file(const char *root, const char *path, const char *text, size_t n)
{
    char full[400];
    snprintf(full, sizeof(full), "%s%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(file_mkdirs(full, 0700), RC_OK);
    *slash = '/';
    assert_int_equal(file_write(full, slice_mem(text, n), 0600), RC_OK);
}

static void test_garbage(void **state)
{
    (void)state;
    char root[] = "/tmp/sekisho-junk-XXXXXX";
    assert_non_null(mkdtemp(root));
    static char junk[70000];
    for (size_t i = 0; i < sizeof(junk); i++)
        junk[i] = (char)(i * 7919 + i / 251);
    static const char *const files[] = {"/proc/sys/kernel/hostname",
                                        "/proc/stat",
                                        "/proc/cpuinfo",
                                        "/proc/meminfo",
                                        "/proc/self/mounts",
                                        "/etc/os-release",
                                        "/etc/hosts",
                                        "/etc/resolv.conf",
                                        "/etc/timezone",
                                        "/etc/default/locale",
                                        "/etc/machine-id",
                                        "/var/lib/dpkg/status",
                                        "/run/utmp",
                                        "/run/ifaddrs",
                                        "/sys/class/net/e\tth0/address",
                                        "/sys/class/dmi/id/sys_vendor"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        make_file(root, files[i], junk + i, sizeof(junk) - 100 * i - i);
    struct agent_config cfg = cfg_of(root);
    read_everything(&cfg);
    /* a package with everything too long */
    char big[6000];
    int n =
        snprintf(big, sizeof(big),
                 "Package: %0300d\nStatus: install ok installed\nVersion: %0500d\nMaintainer: %01000d\nArchitecture: "
                 "%0200d\nInstalled-Size: 99999999999999999999\n\nPackage:\nStatus: x installed\n\n",
                 1, 2, 3, 4);
    make_file(root, "/var/lib/dpkg/status", big, (size_t)n);
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    facts_software(&cfg, &rows);
    assert_true(rows.n <= 1);
    arena_free(&rows.a);
    config_done(&cfg);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char full[400];
        snprintf(full, sizeof(full), "%s%s", root, files[i]);
        unlink(full);
        for (char *slash; (slash = strrchr(full, '/')) && slash - full >= (long)strlen(root);) {
            *slash = '\0';
            rmdir(full);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_and_os), cmocka_unit_test(test_hardware), cmocka_unit_test(test_network),
        cmocka_unit_test(test_software),        cmocka_unit_test(test_users),    cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
