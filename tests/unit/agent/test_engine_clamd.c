/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_clamd.c - the clamd driver against a peer of our own on a UNIX socket: replies, sessions that end,
 * slowness, nonsense, and a reload that does or does not bring the canary. */
#include "agent/engine_clamd.h"
#include "common/file.h"
#include "common/must.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum manner { USUAL, END_AFTER_ONE, SILENT, NONSENSE, TIMED_OUT_FIRST };

static struct {
    char dir[64], path[96], signatures[96];
    int listener;
    pthread_t thread;
    enum manner manner;
    int sessions, reloads;
    bool reload_works;
    struct engine_settings settings;
} peer;

/* What clamd would say about this file: what stands behind "BAD:" is its name, and the canary is known after a reload.
 */
static void judge(int fd, char *out, size_t size, int number)
{
    char b[256] = {0}, canary[512] = "";
    ssize_t n = pread(fd, b, sizeof(b) - 1, 0);
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", peer.signatures, CLAMD_CANARY_FILE);
    int c = peer.reloads > 0 && peer.reload_works ? open(path, O_RDONLY) : -1;
    if (c >= 0) {
        ssize_t k = pread(c, canary, sizeof(canary) - 1, 0);
        canary[k > 0 ? k : 0] = '\0';
        close(c);
    }
    char hex[600] = "";
    for (ssize_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)b[i]);
    if (strncmp(b, "BAD:", 4) == 0)
        snprintf(out, size, "%d: fd[12]: %s FOUND", number, b + 4);
    else if (n > 0 && canary[0] && strstr(canary, hex))
        snprintf(out, size, "%d: fd[12]: %s.UNOFFICIAL FOUND", number, CLAMD_CANARY_NAME);
    else
        snprintf(out, size, "%d: fd[12]: OK", number);
}

static ssize_t get(int c, char *b, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {b, size};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.b, .msg_controllen = sizeof(control.b)};
    ssize_t n = recvmsg(c, &m, 0);
    *ret_fd = -1;
    if (n > 0 && CMSG_FIRSTHDR(&m))
        memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
    return n;
}

static void say(int c, const char *s)
{
    must(send(c, s, strlen(s) + 1, MSG_NOSIGNAL) >= 0 || true);
}

static bool obey(int c, const char *command, int *number)
{
    if (peer.manner == SILENT)
        return true;
    if (strcmp(command, "zPING") == 0)
        say(c, peer.manner == NONSENSE ? "PANG" : "PONG");
    else if (strcmp(command, "zVERSION") == 0)
        say(c, peer.manner == NONSENSE ? "Other 1" : "ClamAV 1.4.6/27000/Sun Nov 22 20:41:36 2026");
    else if (strcmp(command, "zSTATS") == 0)
        say(c, "POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live 2  idle 0 max 12 idle-timeout 30\nQUEUE: 3 "
               "items\n\t\nEND");
    else if (strcmp(command, "zIDSESSION") == 0) {
        peer.sessions++;
        return true;
    } else if (strcmp(command, "zRELOAD") == 0) {
        peer.reloads++;
        say(c, "RELOADING");
    } else if (strcmp(command, "zFILDES") == 0) {
        char byte, reply[400];
        int fd;
        if (get(c, &byte, 1, &fd) != 1 || fd < 0)
            return false;
        judge(fd, reply, sizeof(reply), ++*number);
        close(fd);
        if (peer.manner == TIMED_OUT_FIRST && peer.sessions == 1 && *number == 2)
            say(c, "2: COMMAND READ TIMED OUT. ERROR");
        else
            say(c, peer.manner == NONSENSE ? "what?" : reply);
        return peer.manner != END_AFTER_ONE;
    }
    return strcmp(command, "zFILDES") == 0;
}

static void *serve_one(void *arg)
{
    int c = (int)(intptr_t)arg, number = 0, fd;
    char command[64];
    size_t n = 0;
    for (bool go = true; go && n < sizeof(command);) {
        if (get(c, command + n, 1, &fd) != 1)
            break;
        if (command[n++] == '\0') {
            n = 0;
            go = obey(c, command, &number);
        }
    }
    close(c);
    return NULL;
}

static void *serve(void *arg)
{
    (void)arg;
    int c;
    while ((c = accept(peer.listener, NULL, NULL)) >= 0) {
        pthread_t t;
        must(pthread_create(&t, NULL, serve_one, (void *)(intptr_t)c) == 0);
        pthread_detach(t);
    }
    return NULL;
}

static int setup(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)state;
    memset(&peer, 0, sizeof(peer));
    snprintf(peer.dir, sizeof(peer.dir), "/tmp/test-clamd-XXXXXX");
    must(mkdtemp(peer.dir));
    snprintf(peer.path, sizeof(peer.path), "%s/sock", peer.dir);
    snprintf(peer.signatures, sizeof(peer.signatures), "%s/db", peer.dir);
    must(file_mkdirs(peer.signatures, 0755) == RC_OK);
    memcpy(a.sun_path, peer.path, strlen(peer.path) + 1);
    peer.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    must(bind(peer.listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(peer.listener, 8) == 0);
    must(pthread_create(&peer.thread, NULL, serve, NULL) == 0);
    peer.settings = (struct engine_settings){peer.path, peer.signatures};
    return 0;
}

static int teardown(void **state)
{
    char path[200];
    (void)state;
    shutdown(peer.listener, SHUT_RDWR);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
    unlink(peer.path);
    snprintf(path, sizeof(path), "%s/%s", peer.signatures, CLAMD_CANARY_FILE);
    unlink(path);
    rmdir(peer.signatures);
    rmdir(peer.dir);
    return 0;
}

static int text(const char *s)
{
    int fd = memfd_create("t", MFD_CLOEXEC);
    must(write(fd, s, strlen(s)) == (ssize_t)strlen(s));
    return fd;
}

static enum engine_verdict scan(struct engine *e, const char *s, int ms, struct engine_result *r, enum rc expected)
{
    int fd = text(s);
    assert_int_equal(e->driver->scan_fd(e, fd, ms, r), expected);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)strlen(s)); /* offset untouched */
    close(fd);
    return r->verdict;
}

static void reads_replies(void **state)
{
    static const struct {
        const char *reply;
        enum engine_verdict verdict;
        const char *text;
    } rows[] = {
        {"fd[12]: OK", ENGINE_CLEAN, ""},
        {"4: fd[9]: OK", ENGINE_CLEAN, ""},
        {"fd[12]: Eicar-Signature FOUND", ENGINE_FOUND, "Eicar-Signature"},
        {"17: fd[12]: Name: with ]: blanks FOUND FOUND", ENGINE_FOUND, "Name: with ]: blanks FOUND"},
        {"fd[12]: Can't allocate memory ERROR", ENGINE_FAILED, "Can't allocate memory"},
        {"1: No file descriptor received. ERROR", ENGINE_FAILED, "No file descriptor received"},
        {"fd[12]:  FOUND", ENGINE_FAILED, "fd[12]:  FOUND"},
        {"OK", ENGINE_FAILED, "OK"},
        {"UNKNOWN COMMAND", ENGINE_FAILED, "UNKNOWN COMMAND"},
        {"", ENGINE_FAILED, "empty reply"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct engine_result r;
        clamd_parse_reply(slice_of(rows[i].reply), &r);
        assert_int_equal(r.verdict, rows[i].verdict);
        if (r.verdict == ENGINE_FOUND)
            assert_string_equal(r.name, rows[i].text);
    }
    char big[1000];
    memset(big, 'x', sizeof(big));
    memcpy(big, "fd[1]: ", 7);
    memcpy(big + sizeof(big) - 6, " FOUND", 6);
    struct engine_result r;
    clamd_parse_reply(slice_mem(big, sizeof(big)), &r);
    assert_int_equal(r.verdict, ENGINE_FOUND);
    assert_int_equal(strlen(r.name), sizeof(r.name) - 1);
}

static void reads_versions(void **state)
{
    struct engine_info i = {0};
    (void)state;
    assert_true(clamd_parse_version(SLICE("ClamAV 1.4.6/27000/Sun Nov 22 20:41:36 2026\n"), &i));
    assert_string_equal(i.version, "1.4.6");
    assert_string_equal(i.signatures, "27000");
    usec_t at;
    assert_true(clock_parse_rfc3339(SLICE("2026-11-22T20:41:36Z"), &at));
    assert_true(i.signatures_at == at);
    assert_true(clamd_parse_version(SLICE("ClamAV 1.4.6"), &i));
    assert_string_equal(i.signatures, "");
    assert_true(i.signatures_at == 0);
    assert_false(clamd_parse_version(SLICE("ClamAV "), &i));
    assert_false(clamd_parse_version(SLICE("PONG"), &i));
}

static void asks_and_scans(void **state)
{
    struct engine *e = engine_clamd.open(&peer.settings);
    struct engine_result r;
    struct engine_info i;
    struct clamd_stats s;
    (void)state;
    assert_int_equal(clamd_ping(e, 2000), RC_OK);
    assert_int_equal(clamd_stats(e, 2000, &s), RC_OK);
    assert_int_equal(s.queue, 3);
    assert_int_equal(s.threads, 2);
    assert_int_equal(e->driver->info(e, 2000, &i), RC_OK);
    assert_int_equal(i.pid, getpid());
    assert_true(i.known_uid && i.uid == getuid());
    for (int k = 0; k < 50; k++) {
        assert_int_equal(scan(e, "fine", 2000, &r, RC_OK), ENGINE_CLEAN);
        assert_int_equal(scan(e, "BAD:Some.Name", 2000, &r, RC_OK), ENGINE_FOUND);
        assert_string_equal(r.name, "Some.Name");
    }
    assert_int_equal(peer.sessions, 1);
    engine_clamd.close(&e);
    assert_null(e);
    engine_clamd.close(&e);
}

static void renews_sessions_that_end(void **state)
{
    struct engine *e = engine_clamd.open(&peer.settings);
    struct engine_result r;
    (void)state;
    peer.manner = END_AFTER_ONE;
    for (int k = 0; k < 5; k++)
        assert_int_equal(scan(e, "BAD:A", 2000, &r, RC_OK), ENGINE_FOUND);
    assert_int_equal(peer.sessions, 5);
    engine_clamd.close(&e);
}

static void repeats_after_the_peers_time_out(void **state)
{
    struct engine *e = engine_clamd.open(&peer.settings);
    struct engine_result r;
    (void)state;
    peer.manner = TIMED_OUT_FIRST;
    assert_int_equal(scan(e, "fine", 2000, &r, RC_OK), ENGINE_CLEAN);
    assert_int_equal(scan(e, "BAD:B", 2000, &r, RC_OK), ENGINE_FOUND);
    assert_int_equal(peer.sessions, 2);
    engine_clamd.close(&e);
}

static void gives_up_in_time(void **state)
{
    struct engine *e = engine_clamd.open(&peer.settings);
    struct engine_result r;
    struct engine_info i;
    (void)state;
    peer.manner = SILENT;
    uint64_t began = clock_mono_ns();
    assert_int_equal(scan(e, "x", 200, &r, RC_UNAVAILABLE), ENGINE_FAILED);
    assert_int_equal(clamd_ping(e, 200), RC_UNAVAILABLE);
    assert_int_equal(e->driver->info(e, 200, &i), RC_UNAVAILABLE);
    assert_true(clock_mono_ns() - began < UINT64_C(3000000000));
    peer.manner = NONSENSE;
    assert_int_equal(scan(e, "x", 2000, &r, RC_OK), ENGINE_FAILED);
    assert_int_equal(clamd_ping(e, 2000), RC_UNAVAILABLE);
    assert_int_equal(e->driver->info(e, 2000, &i), RC_UNAVAILABLE);
    engine_clamd.close(&e);
    struct engine_settings none = {"/nonexistent/sock", peer.signatures};
    e = engine_clamd.open(&none);
    assert_int_equal(scan(e, "x", 2000, &r, RC_UNAVAILABLE), ENGINE_FAILED);
    engine_clamd.close(&e);
}

static void proves_a_reload(void **state)
{
    struct engine *e = engine_clamd.open(&peer.settings);
    (void)state;
    peer.reload_works = true;
    assert_int_equal(e->driver->reload(e, 5000), RC_OK);
    assert_int_equal(peer.reloads, 1);
    peer.reload_works = false; /* says RELOADING all the same */
    assert_int_equal(e->driver->reload(e, 500), RC_INVALID);
    engine_clamd.close(&e);
    struct engine_settings none = {"/nonexistent/sock", peer.signatures};
    e = engine_clamd.open(&none);
    assert_int_equal(e->driver->reload(e, 500), RC_UNAVAILABLE);
    engine_clamd.close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_replies),
        cmocka_unit_test(reads_versions),
        cmocka_unit_test_setup_teardown(asks_and_scans, setup, teardown),
        cmocka_unit_test_setup_teardown(renews_sessions_that_end, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_after_the_peers_time_out, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_up_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(proves_a_reload, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
