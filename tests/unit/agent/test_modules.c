/* SPDX-License-Identifier: Apache-2.0 */
/* test_modules.c - signed manifests and their installation with an engine that works, refuses, or is away: afterwards
 * the folder holds the new set or exactly the old one. */
#include "agent/modules.h"
#include "common/crypto.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], state_dir[96], signatures[96];
static uint8_t private_key[32], public_key[32];
static struct arena *a;

/* An engine that says what the test wants. */
static struct {
    enum rc try_rc;
    enum rc reload_rc; /* of the first reload; later ones work */
    int tries, reloads;
} engine;

static enum rc fake_reload(struct engine *e, int ms)
{
    (void)e;
    (void)ms;
    return engine.reloads++ == 0 ? engine.reload_rc : RC_OK;
}

static enum rc fake_try(const char *folder, int ms, char *why, size_t size)
{
    (void)folder;
    (void)ms;
    engine.tries++;
    snprintf(why, size, "bad signatures");
    return engine.try_rc;
}

static const struct engine_driver driver = {.name = "fake", .reload = fake_reload, .try_signatures = fake_try};

static int setup(void **state)
{
    (void)state;
    a = arena_new(16 << 20);
    memset(&engine, 0, sizeof(engine));
    snprintf(dir, sizeof(dir), "/tmp/test-modules-XXXXXX");
    must(mkdtemp(dir));
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    snprintf(signatures, sizeof(signatures), "%s/db", dir);
    must(file_mkdirs(state_dir, 0700) == RC_OK && file_mkdirs(signatures, 0755) == RC_OK);
    crypto_ed25519_new(private_key, public_key);
    return 0;
}

static void remove_below(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char below[400];
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(below) < 0)
            remove_below(below);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static int teardown(void **state)
{
    (void)state;
    remove_below(dir);
    arena_free(&a);
    return 0;
}

static struct slice hex(const void *p, size_t n)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 * n + 2);
    strbuf_add_hex(&b, p, n);
    return strbuf_slice(&b);
}

static struct slice sign(struct slice text)
{
    uint8_t sig[64];
    crypto_ed25519_sign(private_key, text, sig);
    return hex(sig, 64);
}

static struct slice manifest(int version, const char *const *names, const char *const *texts, size_t n)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 65536);
    strbuf_printf(&b, "{\"name\":\"m\",\"version\":%d,\"issued\":\"2026-11-20T00:00:00Z\",\"files\":[", version);
    for (size_t i = 0; i < n; i++) {
        struct sha256 h = crypto_sha256(slice_of(texts[i]));
        struct slice x = hex(h.b, 32);
        strbuf_printf(&b, "%s{\"name\":\"%s\",\"size\":%zu,\"sha256\":\"" SLICE_FMT "\"}", i ? "," : "", names[i],
                      strlen(texts[i]), SLICE_ARG(x));
    }
    strbuf_add_str(&b, "]}");
    return strbuf_slice(&b);
}

static const char *verify(struct slice text, struct slice sig, const char **ret_reason)
{
    struct wire_module_manifest m;
    const char *code;
    enum rc rc = modules_verify(a, public_key, text, sig, &m, &code, ret_reason);
    assert_true((rc == RC_OK) == (code == NULL));
    return code;
}

static void verifies(void **state)
{
    const char *reason, *one[] = {"a.ndb"}, *text[] = {"x"};
    struct slice good = manifest(3, one, text, 1);
    (void)state;
    assert_null(verify(good, sign(good), &reason));
    assert_null(verify(good, slice_of(arena_printf(a, " " SLICE_FMT "\n", SLICE_ARG(sign(good)))), &reason));
    char *changed = arena_cstr(a, good);
    *strchr(changed, '3') = '4';
    assert_string_equal(verify(slice_of(changed), sign(good), &reason), MODULES_UNSIGNED);
    assert_string_equal(verify(good, SLICE(""), &reason), MODULES_UNSIGNED);
    assert_string_equal(verify(good, SLICE("zz"), &reason), MODULES_UNSIGNED);
    struct slice cut = sign(good);
    cut.n -= 2;
    assert_string_equal(verify(good, cut, &reason), MODULES_UNSIGNED);
    static const char *const bad[] = {
        "../a", ".a", "A.ndb", "a/b", "", "manifest.json", "a.sekisho-old", "sekisho-canary.ndb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct slice m = manifest(3, &bad[i], text, 1);
        assert_string_equal(verify(m, sign(m), &reason), MODULES_MALFORMED);
    }
    const char *twice[] = {"a.ndb", "a.ndb"}, *texts[] = {"x", "y"};
    struct slice m = manifest(3, twice, texts, 2);
    assert_string_equal(verify(m, sign(m), &reason), MODULES_MALFORMED);
    assert_string_equal(reason, "a file name twice");
    m = manifest(0, one, text, 1);
    assert_string_equal(verify(m, sign(m), &reason), MODULES_MALFORMED);
    m = manifest(3, one, text, 0);
    assert_string_equal(verify(m, sign(m), &reason), MODULES_MALFORMED);
    m = SLICE("not json");
    assert_string_equal(verify(m, sign(m), &reason), MODULES_MALFORMED);
}

static int text_fd(const char *s)
{
    int fd = memfd_create("t", MFD_CLOEXEC);
    must(write(fd, s, strlen(s)) == (ssize_t)strlen(s));
    return fd;
}

static enum rc install(int version, const char *const *names, const char *const *texts, const char *const *sent,
                       size_t n, struct modules_outcome *o)
{
    const struct modules_place p = {state_dir, signatures, &driver, NULL, 100};
    struct slice m = manifest(version, names, texts, n);
    int fds[8];
    for (size_t i = 0; i < n; i++)
        fds[i] = text_fd(sent[i]);
    engine.reloads = 0;
    enum rc rc = modules_install(&p, public_key, m, sign(m), fds, n, o);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return rc;
}

/* "name=text " of all files, sorted by name. */
static const char *folder(void)
{
    struct dirent **e;
    struct strbuf b;
    strbuf_init_arena(&b, a, 65536);
    int n = scandir(signatures, &e, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct slice s;
        if (e[i]->d_name[0] != '.') {
            assert_int_equal(file_read(a, arena_printf(a, "%s/%s", signatures, e[i]->d_name), 4096, &s), RC_OK);
            strbuf_printf(&b, "%s=" SLICE_FMT " ", e[i]->d_name, SLICE_ARG(s));
        }
        free(e[i]);
    }
    free(e);
    strbuf_add_str(&b, "");
    return b.p ? b.p : "";
}

static void installs_and_replaces(void **state)
{
    struct modules_outcome o;
    const char *names[] = {"a.ndb", "b.hsb"}, *one[] = {"a1", "b1"}, *two[] = {"a2"};
    (void)state;
    must(file_write(arena_printf(a, "%s/own.ndb", signatures), SLICE("own"), 0644) == RC_OK);
    assert_int_equal(install(1, names, one, one, 2, &o), RC_OK);
    assert_string_equal(o.code, MODULES_UPDATED);
    assert_string_equal(o.args[0], "1");
    assert_string_equal(folder(), "a.ndb=a1 b.hsb=b1 own.ndb=own ");
    assert_int_equal(modules_read_installed(state_dir).version, 1);
    assert_true(modules_read_installed(state_dir).issued > 0);
    /* the next version has no b.hsb: it goes, what is not ours stays */
    assert_int_equal(install(2, names, two, two, 1, &o), RC_OK);
    assert_string_equal(folder(), "a.ndb=a2 own.ndb=own ");
    assert_int_equal(install(2, names, two, two, 1, &o), RC_OK);
    assert_string_equal(o.code, MODULES_CURRENT);
    assert_int_equal(install(1, names, one, one, 2, &o), RC_INVALID);
    assert_string_equal(o.code, MODULES_OLDER);
    assert_string_equal(o.args[0], "1");
    assert_string_equal(o.args[1], "2");
}

static void refuses_damaged_files(void **state)
{
    struct modules_outcome o;
    const char *names[] = {"a.ndb", "b.hsb"}, *texts[] = {"a1", "b1"};
    static const char *const sent[][2] = {{"a1", "b2"}, {"a1", "b"}, {"a1", "b1x"}, {"", "b1"}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(install(1, names, texts, sent[i], 2, &o), RC_INVALID);
        assert_string_equal(o.code, MODULES_DAMAGED);
        assert_string_equal(folder(), "");
    }
    assert_int_equal(engine.tries, 0);
    const struct modules_place p = {state_dir, signatures, &driver, NULL, 100};
    struct slice m = manifest(1, names, texts, 2);
    int pipes[2];
    must(pipe(pipes) == 0);
    assert_int_equal(modules_install(&p, public_key, m, sign(m), pipes, 1, &o), RC_INVALID);
    assert_string_equal(o.code, MODULES_DAMAGED);
    close(pipes[0]);
    close(pipes[1]);
}

static void rolls_back(void **state)
{
    struct modules_outcome o;
    const char *names[] = {"a.ndb", "b.hsb"}, *one[] = {"a1", "b1"}, *next[] = {"a.ndb", "c.ldb"},
               *two[] = {"a2", "c2"};
    (void)state;
    assert_int_equal(install(1, names, one, one, 2, &o), RC_OK);
    engine.try_rc = RC_INVALID;
    assert_int_equal(install(2, next, two, two, 2, &o), RC_INVALID);
    assert_string_equal(o.code, MODULES_REJECTED);
    assert_string_equal(o.args[0], "bad signatures");
    assert_int_equal(engine.reloads, 0);
    assert_string_equal(folder(), "a.ndb=a1 b.hsb=b1 ");
    engine.try_rc = RC_OK;
    engine.reload_rc = RC_INVALID;
    assert_int_equal(install(2, next, two, two, 2, &o), RC_INVALID);
    assert_string_equal(o.code, MODULES_REJECTED);
    assert_int_equal(engine.reloads, 2); /* and once more with the old set */
    assert_string_equal(folder(), "a.ndb=a1 b.hsb=b1 ");
    assert_int_equal(modules_read_installed(state_dir).version, 1);
    engine.reload_rc = RC_OK;
    engine.try_rc = RC_NOT_FOUND; /* no program to try with: the engine's own word counts */
    assert_int_equal(install(2, next, two, two, 2, &o), RC_OK);
    assert_string_equal(folder(), "a.ndb=a2 c.ldb=c2 ");
}

static void put(const char *name, const char *text)
{
    must(file_write(arena_printf(a, "%s/%s", signatures, name), slice_of(text), 0644) == RC_OK);
}

static void finishes_what_a_crash_left(void **state)
{
    struct modules_outcome o;
    const char *names[] = {"a.ndb", "b.hsb"}, *one[] = {"a1", "b1"};
    (void)state;
    assert_int_equal(install(1, names, one, one, 2, &o), RC_OK);
    /* cut off before the engine had proved the new set */
    put("a.ndb.sekisho-old", "a1");
    put("a.ndb", "a2");
    put("b.hsb.sekisho-old", "b1");
    unlink(arena_printf(a, "%s/b.hsb", signatures));
    put("c.ldb.sekisho-new", "half");
    modules_recover(state_dir, signatures);
    assert_string_equal(folder(), "a.ndb=a1 b.hsb=b1 ");
    /* cut off after */
    put("a.ndb.sekisho-old", "a0");
    put("z.ndb.sekisho-old", "retired");
    modules_recover(state_dir, signatures);
    assert_string_equal(folder(), "a.ndb=a1 b.hsb=b1 ");
}

static void sees_changes(void **state)
{
    (void)state;
    assert_true(modules_newest_file(signatures) == 0);
    uint64_t empty = modules_fingerprint(signatures);
    put("a.ndb", "a");
    uint64_t one = modules_fingerprint(signatures);
    assert_true(one != empty && modules_fingerprint(signatures) == one);
    assert_true(modules_newest_file(signatures) > 0);
    put("a.ndb", "b");
    assert_true(modules_fingerprint(signatures) != one);
    assert_true(modules_newest_file("/nonexistent") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verifies, setup, teardown),
        cmocka_unit_test_setup_teardown(installs_and_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_damaged_files, setup, teardown),
        cmocka_unit_test_setup_teardown(rolls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(finishes_what_a_crash_left, setup, teardown),
        cmocka_unit_test_setup_teardown(sees_changes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
