/* SPDX-License-Identifier: Apache-2.0 */
/* test_quarantine.c - the encrypted store: what goes in comes out, nothing is readable, damage is seen, originals are
 * only removed when they are the same file. */
#include "agent/quarantine.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], store[96], victim[96];
static struct arena *a;
static struct quarantine *q;

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test-quarantine-XXXXXX");
    must(mkdtemp(dir));
    snprintf(store, sizeof(store), "%s/store", dir);
    snprintf(victim, sizeof(victim), "%s/victim", dir);
    a = arena_new(64 * 1024 * 1024);
    must(quarantine_open(store, &q) == RC_OK);
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
    quarantine_close(&q);
    arena_free(&a);
    remove_below(dir);
    return 0;
}

static void make(size_t size, unsigned seed)
{
    char *b = must_alloc(size + 1);
    for (size_t i = 0; i < size; i++)
        b[i] = (char)(seed = seed * 1664525 + 1013904223) >> 1;
    must(file_write(victim, slice_mem(b, size), 0640) == RC_OK);
    free(b);
}

static struct slice hash_of(int fd)
{
    struct sha256 h;
    int64_t size;
    struct strbuf b;
    must(quarantine_hash(fd, &h, &size) == RC_OK);
    strbuf_init_arena(&b, a, 80);
    strbuf_add_hex(&b, h.b, 32);
    return strbuf_slice(&b);
}

static struct quarantine_item put(int *ret_fd)
{
    char why[200] = "";
    int fd = open(victim, O_RDONLY | O_CLOEXEC);
    struct quarantine_item i = {.id = uuid_new(),
                                .object = slice_of(victim),
                                .name = SLICE("Some.Name"),
                                .process = SLICE("/usr/bin/\"cp"),
                                .user = SLICE("root"),
                                .scanner = SLICE("on_access"),
                                .event = SLICE("{\"name\":\"Some.Name\"}"),
                                .at = clock_now()};
    i.sha256 = hash_of(fd);
    assert_int_equal(quarantine_add(q, fd, &i, why, sizeof(why)), RC_OK);
    *ret_fd = fd;
    return i;
}

static void keeps_and_restores_every_size(void **state)
{
    static const size_t sizes[] = {0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * 256 * 1024, 1000003};
    (void)state;
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        struct slice before, after;
        struct stat st;
        char why[200];
        int fd;
        make(sizes[k], (unsigned)k + 1);
        bool attr = setxattr(victim, "user.note", "v\0w", 3, 0) == 0;
        assert_int_equal(file_read(a, victim, 8 << 20, &before), RC_OK);
        struct stat was;
        assert_int_equal(stat(victim, &was), 0);
        struct quarantine_item i = put(&fd);
        close(fd);
        assert_int_equal(quarantine_unlink(victim, i.dev, i.ino, why, sizeof(why)), RC_OK);
        assert_int_equal(quarantine_commit(q, i.id), RC_OK);
        assert_int_equal(access(victim, F_OK), -1);
        struct quarantine_item found;
        assert_int_equal(quarantine_find(q, a, i.id, &found), RC_OK);
        assert_false(found.pending);
        assert_true(slice_eq(found.object, slice_of(victim)) && slice_eq(found.process, i.process));
        assert_true(slice_eq(found.event, i.event) && found.ino == was.st_ino && found.size == (int64_t)sizes[k]);
        assert_int_equal(quarantine_restore(q, i.id, NULL, why, sizeof(why)), RC_OK);
        assert_int_equal(file_read(a, victim, 8 << 20, &after), RC_OK);
        assert_true(slice_eq(before, after));
        assert_int_equal(stat(victim, &st), 0);
        assert_int_equal(st.st_mode, was.st_mode);
        assert_int_equal(st.st_uid, was.st_uid);
        assert_true(st.st_mtim.tv_sec == was.st_mtim.tv_sec && st.st_mtim.tv_nsec == was.st_mtim.tv_nsec);
        char value[8];
        if (attr)
            assert_int_equal(getxattr(victim, "user.note", value, sizeof(value)), 3);
        assert_int_equal(quarantine_find(q, a, i.id, &found), RC_NOT_FOUND);
        arena_reset(a);
    }
}

static void hides_the_content(void **state)
{
    struct slice text;
    char path[300], id[UUID_TEXT_SIZE];
    int fd;
    struct stat st;
    (void)state;
    assert_int_equal(file_write(victim, SLICE("needle-needle-needle"), 0600), RC_OK);
    struct quarantine_item i = put(&fd);
    close(fd);
    snprintf(path, sizeof(path), "%s/%s.pending", store, uuid_text(i.id, id));
    assert_int_equal(file_read(a, path, 1 << 20, &text), RC_OK);
    assert_null(memmem(text.p, text.n, "needle", 6));
    assert_null(memmem(text.p, text.n, victim, strlen(victim)));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(store, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void sees_damage(void **state)
{
    struct slice text;
    char path[300], id[UUID_TEXT_SIZE], why[200], target[200];
    int fd;
    (void)state;
    make(600000, 7);
    struct quarantine_item i = put(&fd);
    close(fd);
    assert_int_equal(quarantine_commit(q, i.id), RC_OK);
    snprintf(path, sizeof(path), "%s/%s.q", store, uuid_text(i.id, id));
    snprintf(target, sizeof(target), "%s/out", dir);
    assert_int_equal(file_read(a, path, 1 << 20, &text), RC_OK);
    const size_t places[] = {3, 20, 200, text.n / 2, text.n - 1};
    for (size_t k = 0; k < 5; k++) {
        char *bad = must_alloc(text.n);
        memcpy(bad, text.p, text.n);
        bad[places[k]] ^= 1;
        assert_int_equal(file_write(path, slice_mem(bad, text.n), 0600), RC_OK);
        free(bad);
        assert_int_not_equal(quarantine_restore(q, i.id, target, why, sizeof(why)), RC_OK);
        assert_int_equal(access(target, F_OK), -1);
    }
    /* cut at a border of pieces, and cut anywhere */
    const size_t cuts[] = {text.n - 75776 - 32, text.n - 5, 100, 0};
    for (size_t k = 0; k < 4; k++) {
        assert_int_equal(file_write(path, slice_mem(text.p, cuts[k]), 0600), RC_OK);
        assert_int_not_equal(quarantine_restore(q, i.id, target, why, sizeof(why)), RC_OK);
        assert_int_equal(access(target, F_OK), -1);
    }
    struct quarantine_item *items;
    size_t n, damaged;
    assert_int_equal(quarantine_list(q, a, &items, &n, &damaged), RC_OK);
    assert_int_equal(n, 0);
    assert_int_equal(damaged, 1);
    /* another item's name does not fit */
    assert_int_equal(file_write(path, text, 0600), RC_OK);
    char other[300];
    snprintf(other, sizeof(other), "%s/%s.q", store, uuid_text(uuid_new(), id));
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(quarantine_list(q, a, &items, &n, &damaged), RC_OK);
    assert_int_equal(damaged, 1);
}

static void removes_only_the_same_file(void **state)
{
    char why[200];
    int fd;
    (void)state;
    make(10, 1);
    struct quarantine_item i = put(&fd);
    assert_int_equal(quarantine_removable(fd, victim, why, sizeof(why)), RC_OK);
    char aside[200];
    snprintf(aside, sizeof(aside), "%s/aside", dir);
    assert_int_equal(rename(victim, aside), 0);
    assert_int_equal(quarantine_unlink(victim, i.dev, i.ino, why, sizeof(why)), RC_NOT_FOUND);
    make(10, 2);
    assert_int_equal(quarantine_unlink(victim, i.dev, i.ino, why, sizeof(why)), RC_NOT_FOUND);
    assert_int_equal(access(victim, F_OK), 0);
    unlink(victim);
    assert_int_equal(symlink(aside, victim), 0);
    assert_int_equal(quarantine_unlink(victim, i.dev, i.ino, why, sizeof(why)), RC_NOT_FOUND);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(quarantine_unlink("relative", i.dev, i.ino, why, sizeof(why)), RC_NOT_FOUND);
    assert_int_equal(quarantine_unlink("/", i.dev, i.ino, why, sizeof(why)), RC_NOT_FOUND);
    close(fd);
}

static void refuses_what_changes(void **state)
{
    char why[200] = "";
    (void)state;
    make(1000, 1);
    int fd = open(victim, O_RDONLY | O_CLOEXEC);
    struct quarantine_item i = {.id = uuid_new(), .object = slice_of(victim), .sha256 = hash_of(fd)};
    assert_int_equal(truncate(victim, 999), 0);
    assert_int_equal(quarantine_add(q, fd, &i, why, sizeof(why)), RC_CONFLICT);
    assert_string_equal(why, "the file is being changed");
    close(fd);
    fd = open(dir, O_RDONLY | O_CLOEXEC);
    assert_int_equal(quarantine_add(q, fd, &i, why, sizeof(why)), RC_INVALID);
    close(fd);
    struct quarantine_item *items;
    size_t n, damaged;
    assert_int_equal(quarantine_list(q, a, &items, &n, &damaged), RC_OK);
    assert_int_equal(n + damaged, 0);
}

static void does_not_overwrite(void **state)
{
    char why[200];
    int fd;
    (void)state;
    make(10, 1);
    struct quarantine_item i = put(&fd);
    close(fd);
    assert_int_equal(quarantine_commit(q, i.id), RC_OK);
    assert_int_equal(quarantine_restore(q, i.id, NULL, why, sizeof(why)), RC_CONFLICT);
    struct quarantine_item found;
    assert_int_equal(quarantine_find(q, a, i.id, &found), RC_OK);
    assert_int_equal(quarantine_restore(q, uuid_new(), NULL, why, sizeof(why)), RC_NOT_FOUND);
}

static void obeys_the_command_line(void **state)
{
    char id[UUID_TEXT_SIZE], text[2000] = "", target[200];
    int fd;
    (void)state;
    make(10, 1);
    struct quarantine_item i = put(&fd);
    close(fd);
    assert_int_equal(quarantine_commit(q, i.id), RC_OK);
    uuid_text(i.id, id);
    FILE *out = fmemopen(text, sizeof(text), "w");
    char list[] = "list", restore[] = "restore", drop[] = "delete", odd[] = "odd";
    snprintf(target, sizeof(target), "%s/put", dir);
    assert_int_equal(quarantine_command(store, 1, (char *[]){list}, out, out), 0);
    fflush(out);
    assert_non_null(strstr(text, id));
    assert_non_null(strstr(text, "Some.Name"));
    assert_int_equal(quarantine_command(store, 3, (char *[]){restore, id, target}, out, out), 0);
    assert_int_equal(access(target, F_OK), 0);
    assert_int_equal(quarantine_command(store, 2, (char *[]){drop, id}, out, out), 1);
    assert_int_equal(quarantine_command(store, 2, (char *[]){drop, odd}, out, out), 64);
    assert_int_equal(quarantine_command(store, 1, (char *[]){odd}, out, out), 64);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_and_restores_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(hides_the_content, setup, teardown),
        cmocka_unit_test_setup_teardown(sees_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_only_the_same_file, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_overwrite, setup, teardown),
        cmocka_unit_test_setup_teardown(obeys_the_command_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
