/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c - the walk of scans: which files it meets and which it must not, and how names of engines become
 * detections. */
#include "agent/incident.h"
#include "agent/message.h"
#include "agent/scan.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct arena *a;

struct met {
    char names[64][64];
    size_t n, unreadable, stop_after;
    const char *excluded;
};

static bool file(void *ctx, int at, const char *name, const char *path)
{
    struct met *m = ctx;
    struct stat st, by_path;
    assert_int_equal(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(lstat(path, &by_path), 0);
    assert_true(st.st_ino == by_path.st_ino);
    assert_true(m->n < 64);
    snprintf(m->names[m->n++], 64, "%s", path + strlen(dir) + 1);
    return m->stop_after == 0 || m->n < m->stop_after;
}

static bool excluded(void *ctx, const char *path)
{
    const struct met *m = ctx;
    return m->excluded && strstr(path, m->excluded);
}

static void unreadable(void *ctx, const char *path, int error)
{
    (void)path;
    (void)error;
    ((struct met *)ctx)->unreadable++;
}

static bool has(const struct met *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->names[i], name) == 0)
            return true;
    }
    return false;
}

static char *at(const char *name)
{
    return arena_printf(a, "%s/%s", dir, name);
}

static void put(const char *name)
{
    must(file_write(at(name), SLICE("x"), 0644) == RC_OK);
}

static int setup(void **state)
{
    (void)state;
    a = arena_new(1 << 20);
    snprintf(dir, sizeof(dir), "/tmp/test-scan-XXXXXX");
    must(mkdtemp(dir));
    must(file_mkdirs(at("a/b/c"), 0755) == RC_OK && file_mkdirs(at("skip"), 0755) == RC_OK);
    put("one");
    put("a/two");
    put("a/b/c/three");
    put("skip/four");
    must(symlink("/etc", at("link")) == 0 && symlink("one", at("link-to-file")) == 0);
    must(mkfifo(at("pipe"), 0600) == 0);
    return 0;
}

static void remove_below(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char below[800];
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

static void meets_files_once_and_no_links(void **state)
{
    struct met m = {.n = 0};
    const struct scan_walk w = {file, excluded, unreadable, &m};
    bool whole;
    (void)state;
    assert_int_equal(scan_walk(&w, dir, &whole), RC_OK);
    assert_true(whole);
    assert_int_equal(m.n, 4);
    assert_true(has(&m, "one") && has(&m, "a/two") && has(&m, "a/b/c/three") && has(&m, "skip/four"));
    assert_int_equal(m.unreadable, 0);
    m = (struct met){.excluded = "/skip"};
    assert_int_equal(scan_walk(&w, arena_printf(a, "%s///", dir), &whole), RC_OK);
    assert_int_equal(m.n, 3);
    m = (struct met){.stop_after = 2};
    assert_int_equal(scan_walk(&w, dir, &whole), RC_OK);
    assert_false(whole);
    assert_int_equal(m.n, 2);
}

static void takes_files_and_refuses_the_rest(void **state)
{
    struct met m = {.n = 0};
    const struct scan_walk w = {file, excluded, unreadable, &m};
    bool whole;
    (void)state;
    assert_int_equal(scan_walk(&w, at("one"), &whole), RC_OK);
    assert_int_equal(m.n, 1);
    assert_int_equal(scan_walk(&w, at("nothing"), &whole), RC_NOT_FOUND);
    assert_int_equal(scan_walk(&w, at("link"), &whole), RC_NOT_FOUND);
    assert_int_equal(scan_walk(&w, at("pipe"), &whole), RC_NOT_FOUND);
    assert_int_equal(scan_walk(&w, "relative", &whole), RC_NOT_FOUND);
    assert_int_equal(scan_walk(&w, "", &whole), RC_NOT_FOUND);
}

static void stays_off_other_filesystems(void **state)
{
    struct met m = {.n = 0};
    const struct scan_walk w = {file, excluded, unreadable, &m};
    bool whole;
    (void)state;
    /* /proc is one of its own: a walk of it meets nothing */
    assert_int_equal(scan_walk(&w, "/proc", &whole), RC_OK);
    assert_int_equal(m.n, 0);
}

static void survives_depth(void **state)
{
    struct met m = {.n = 0};
    const struct scan_walk w = {file, excluded, unreadable, &m};
    char path[2048];
    size_t n = (size_t)snprintf(path, sizeof(path), "%s", dir);
    bool whole;
    (void)state;
    for (int i = 0; i < 300; i++) {
        n += (size_t)snprintf(path + n, sizeof(path) - n, "/d");
        must(mkdir(path, 0755) == 0);
    }
    assert_int_equal(scan_walk(&w, dir, &whole), RC_OK);
    assert_true(whole);
    assert_int_equal(m.n, 4);
    assert_int_equal(m.unreadable, 1);
}

static void finds_mounts(void **state)
{
    char *found[8];
    (void)state;
    must(file_write(at("mountinfo"),
                    SLICE("1 0 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
                          "2 1 0:5 / /proc rw - proc proc rw\n"
                          "3 1 254:1 / /data\\040disk rw shared:2 master:3 - xfs /dev/vdb rw\n"
                          "4 1 254:0 /home /mnt/bind rw - ext4 /dev/vda rw\n"
                          "5 1 0:30 / /net rw - nfs4 server:/x rw\nbroken\n"),
                    0644) == RC_OK);
    assert_int_equal(scan_mounts(at("mountinfo"), found, 8), 2);
    assert_string_equal(found[0], "/");
    assert_string_equal(found[1], "/data disk");
    free(found[0]);
    free(found[1]);
    assert_int_equal(scan_mounts(at("none"), found, 8), 0);
}

static void classifies(void **state)
{
    static const struct {
        const char *engine, *shown;
        enum wire_detection_type type;
        enum wire_severity severity;
    } rows[] = {
        {"Eicar-Signature", "Eicar-Signature", WIRE_DETECTION_TYPE_TEST, WIRE_SEVERITY_WARNING},
        {"Win.Test.EICAR_HDB-1", "Win.Test.EICAR_HDB-1", WIRE_DETECTION_TYPE_TEST, WIRE_SEVERITY_WARNING},
        {"Unix.Trojan.X-1.UNOFFICIAL", "Unix.Trojan.X-1", WIRE_DETECTION_TYPE_MALWARE, WIRE_SEVERITY_CRITICAL},
        {"PUA.Win.Tool.Y", "PUA.Win.Tool.Y", WIRE_DETECTION_TYPE_UNWANTED, WIRE_SEVERITY_WARNING},
        {"Heuristics.Phishing.Z", "Heuristics.Phishing.Z", WIRE_DETECTION_TYPE_SUSPICIOUS, WIRE_SEVERITY_WARNING},
        {"Win.Test.Contest", "Win.Test.Contest", WIRE_DETECTION_TYPE_MALWARE, WIRE_SEVERITY_CRITICAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[200];
        enum wire_detection_type t;
        enum wire_severity s;
        incident_classify(rows[i].engine, name, &t, &s);
        assert_string_equal(name, rows[i].shown);
        assert_int_equal(t, rows[i].type);
        assert_int_equal(s, rows[i].severity);
    }
}

static void texts_fit_the_protocol(void **state)
{
    char long_text[5000];
    (void)state;
    a = arena_new(1 << 20);
    memset(long_text, 'x', sizeof(long_text));
    assert_true(slice_eq(incident_text(a,
                                       SLICE("/tmp/a\x01\n\x7f\xff\xc2\x85"
                                             "b\xe6\x97\xa5\xe6"),
                                       100),
                         SLICE("/tmp/a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                               "b\xe6\x97\xa5\xef\xbf\xbd")));
    assert_int_equal(incident_text(a, slice_mem(long_text, sizeof(long_text)), 4096).n, 4096);
    assert_int_equal(incident_text(a, SLICE("\xe6\x97\xa5\xe6\x97\xa5"), 5).n, 3);
    memset(long_text, 0xff, sizeof(long_text));
    struct slice s = incident_text(a, slice_mem(long_text, 4000), 4096);
    assert_true(s.n <= 4096 && slice_utf8(s));
    arena_free(&a);
}

static void messages_cannot_steer_a_terminal(void **state)
{
    struct strbuf b;
    (void)state;
    strbuf_init(&b, 1000);
    message_clean(&b,
                  SLICE("a\x1b[2Jb\nc\td\x7f\xc2\x9b"
                        "e\xe6\x97\xa5"),
                  "\r\n");
    assert_string_equal(b.p, "a [2Jb\r\nc\td  e\xe6\x97\xa5");
    strbuf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(meets_files_once_and_no_links, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_files_and_refuses_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(stays_off_other_filesystems, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_mounts, setup, teardown),
        cmocka_unit_test(classifies),
        cmocka_unit_test(texts_fit_the_protocol),
        cmocka_unit_test(messages_cannot_steer_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
