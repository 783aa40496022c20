/* SPDX-License-Identifier: Apache-2.0 */
/* test_guard.c - the guard's memory of answers, the packets, and (as root) the guard itself on a scratch folder with a
 * judge of our own: answers, the deadline when the judge is silent, and freedom when the guard dies. */
#include "agent/guard.h"
#include "agent/judge.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/must.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct guard_cache cache;

static void remembers(void **state)
{
    struct guard_file f = {.dev = 1, .ino = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5, .set = 6}, g;
    const uint64_t second = UINT64_C(1000000000);
    (void)state;
    memset(&cache, 0, sizeof(cache));
    assert_int_equal(guard_cache_get(&cache, &f, 1), GUARD_UNKNOWN);
    guard_cache_put(&cache, &f, GUARD_UNKNOWN, 1);
    assert_int_equal(guard_cache_get(&cache, &f, 1), GUARD_UNKNOWN);
    guard_cache_put(&cache, &f, GUARD_DENY, 1);
    assert_int_equal(guard_cache_get(&cache, &f, 1), GUARD_DENY);
    assert_int_equal(guard_cache_get(&cache, &f, 59 * second), GUARD_DENY);
    assert_int_equal(guard_cache_get(&cache, &f, 61 * second), GUARD_UNKNOWN);
    guard_cache_put(&cache, &f, GUARD_ALLOW, 1);
    assert_int_equal(guard_cache_get(&cache, &f, 599 * second), GUARD_ALLOW);
    assert_int_equal(guard_cache_get(&cache, &f, 601 * second), GUARD_UNKNOWN);
    for (int i = 0; i < 6; i++) {
        uint64_t *const field[] = {&g.dev, &g.ino, &g.size};
        int64_t *const other[] = {&g.mtime_ns, &g.ctime_ns, &g.set};
        g = f;
        if (i < 3)
            ++*field[i];
        else
            ++*other[i - 3];
        assert_int_equal(guard_cache_get(&cache, &g, 1), GUARD_UNKNOWN);
    }
    /* far more files than places: never a wrong answer */
    for (uint64_t i = 0; i < 100000; i++) {
        f.ino = i;
        guard_cache_put(&cache, &f, i % 3 ? GUARD_ALLOW : GUARD_DENY, 1);
        assert_int_equal(guard_cache_get(&cache, &f, 1), i % 3 ? GUARD_ALLOW : GUARD_DENY);
    }
    size_t kept = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        f.ino = i;
        enum guard_verdict v = guard_cache_get(&cache, &f, 1);
        assert_true(v == GUARD_UNKNOWN || v == (i % 3 ? GUARD_ALLOW : GUARD_DENY));
        kept += v != GUARD_UNKNOWN;
    }
    assert_true(kept > 4000);
}

static struct packet out, in;

static void packets_are_bounded(void **state)
{
    int sv[2];
    char text[8];
    (void)state;
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0);
    packet_start(&out, VERB_MESSAGE);
    packet_put_uuid(&out, uuid_new());
    packet_put_str(&out, SLICE("longer than eight"));
    packet_put_i64(&out, -5);
    assert_int_equal(packet_send_fds(sv[0], &out, &sv[0], 1), RC_OK);
    assert_int_equal(packet_receive(sv[1], &in, true), RC_OK);
    assert_int_equal(in.n_fds, 1);
    assert_int_equal(packet_verb(&in), VERB_MESSAGE);
    assert_false(uuid_is_nil(packet_uuid(&in)));
    packet_cstr(&in, text, sizeof(text));
    assert_string_equal(text, "longer ");
    assert_false(packet_done(&in));
    assert_int_equal(packet_i64(&in), -5);
    assert_true(packet_done(&in));
    assert_int_equal(packet_u8(&in), 0); /* past the end: zero, and bad */
    assert_false(packet_done(&in));
    int fd = packet_take_fd(&in, 0);
    assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    packet_close_fds(&in);
    assert_int_equal(packet_receive(sv[1], &in, false), RC_NOT_FOUND);
    /* a length that lies */
    uint8_t lie[] = {VERB_MESSAGE, 0xff, 0xff, 0xff, 0x7f, 'x'};
    must(send(sv[0], lie, sizeof(lie), 0) == (ssize_t)sizeof(lie));
    assert_int_equal(packet_receive(sv[1], &in, true), RC_OK);
    packet_verb(&in);
    assert_int_equal(packet_str(&in).n, 0);
    assert_false(packet_done(&in));
    /* too much for one packet */
    char *big = must_alloc(PACKET_SIZE);
    packet_start(&out, VERB_MESSAGE);
    packet_put_str(&out, slice_mem(big, PACKET_SIZE));
    assert_int_equal(packet_send(sv[0], &out), RC_INVALID);
    free(big);
    close(sv[0]);
    assert_int_equal(packet_receive(sv[1], &in, true), RC_UNAVAILABLE);
    close(sv[1]);
}

/* ---- the guard itself */

static struct {
    char dir[64], folder[96], clean[128], bad[128];
    struct agent_config cfg;
    pid_t guard;
    int control, judge;
} scene;

static int setup(void **state)
{
    char why[200], watched[128], host[] = "server_host=x";
    int control[2], judge[2];
    (void)state;
    snprintf(scene.dir, sizeof(scene.dir), "/tmp/test-guard-XXXXXX");
    must(mkdtemp(scene.dir));
    snprintf(scene.folder, sizeof(scene.folder), "%s/watched", scene.dir);
    snprintf(scene.clean, sizeof(scene.clean), "%s/clean", scene.folder);
    snprintf(scene.bad, sizeof(scene.bad), "%s/bad", scene.folder);
    must(file_mkdirs(scene.folder, 0755) == RC_OK);
    must(file_write(scene.clean, SLICE("clean"), 0644) == RC_OK && file_write(scene.bad, SLICE("bad"), 0644) == RC_OK);
    snprintf(watched, sizeof(watched), "watched_folders=%s", scene.folder);
    must(config_load(&scene.cfg, NULL, true, (char *[]){host, watched}, 2, why, sizeof(why)) == RC_OK);
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0);
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, judge) == 0);
    poll(NULL, 0, 150); /* files older than the guard's doubt about fresh ones */
    scene.guard = fork();
    if (scene.guard == 0) {
        setsid(); /* so that we are not of its session */
        close(control[0]);
        close(judge[0]);
        guard_run(&scene.cfg, control[1], judge[1]);
    }
    close(control[1]);
    close(judge[1]);
    scene.control = control[0];
    scene.judge = judge[0];
    /* accesses may be held; then wait until the folder is marked */
    packet_start(&out, VERB_ENGINE);
    packet_put_i64(&out, 1);
    packet_put_i64(&out, 77);
    packet_put_u8(&out, 1);
    must(packet_send(scene.judge, &out) == RC_OK);
    for (;;) {
        must(packet_receive(scene.control, &in, true) == RC_OK);
        if (packet_verb(&in) == VERB_GUARD && packet_u8(&in) == GUARD_HOLDS && packet_u8(&in) == 1)
            break;
    }
    poll(NULL, 0, 50);
    return 0;
}

static void end_guard(void)
{
    if (scene.guard > 0) {
        kill(scene.guard, SIGKILL);
        waitpid(scene.guard, NULL, 0);
        scene.guard = 0;
    }
}

static int teardown(void **state)
{
    (void)state;
    end_guard();
    close(scene.control);
    close(scene.judge);
    unlink(scene.clean);
    unlink(scene.bad);
    rmdir(scene.folder);
    rmdir(scene.dir);
    config_done(&scene.cfg);
    return 0;
}

/* Opens in a child (the opener is held), answering as told: -1 = not at all. Returns errno of the open, 0 = it went;
 * *ret_asked counts the questions. */
static int open_in_child(const char *path, int verdict, int *ret_asked, uint64_t *ret_ns)
{
    uint64_t began = clock_mono_ns();
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_RDONLY);
        _exit(fd < 0 ? errno : 0);
    }
    int status = 0;
    *ret_asked = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct pollfd p = {scene.judge, POLLIN, 0};
        must(clock_mono_ns() - began < UINT64_C(10000000000));
        if (poll(&p, 1, 20) != 1 || packet_receive(scene.judge, &in, false) != RC_OK)
            continue;
        must(packet_verb(&in) == VERB_JUDGE && in.n_fds == 1);
        int64_t number = packet_i64(&in);
        must(packet_u8(&in) == 1);
        assert_int_equal(packet_i64(&in), pid);
        assert_int_equal(packet_i64(&in), getuid());
        ++*ret_asked;
        packet_close_fds(&in);
        if (verdict < 0)
            continue;
        packet_start(&out, VERB_ANSWER);
        packet_put_i64(&out, number);
        packet_put_u8(&out, (uint8_t)verdict);
        packet_put_i64(&out, 77);
        must(packet_send(scene.judge, &out) == RC_OK);
    }
    *ret_ns = clock_mono_ns() - began;
    return WEXITSTATUS(status);
}

static void holds_and_answers(void **state)
{
    int asked;
    uint64_t ns;
    (void)state;
    assert_int_equal(open_in_child(scene.clean, GUARD_ALLOW, &asked, &ns), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(open_in_child(scene.clean, GUARD_DENY, &asked, &ns), 0); /* from memory */
    assert_int_equal(asked, 0);
    assert_int_equal(open_in_child(scene.bad, GUARD_DENY, &asked, &ns), EPERM);
    assert_int_equal(asked, 1);
    assert_int_equal(open_in_child(scene.bad, GUARD_ALLOW, &asked, &ns), EPERM);
    assert_int_equal(asked, 0);
    /* other signatures: asked anew */
    packet_start(&out, VERB_ENGINE);
    packet_put_i64(&out, 1);
    packet_put_i64(&out, 78);
    packet_put_u8(&out, 1);
    must(packet_send(scene.judge, &out) == RC_OK);
    poll(NULL, 0, 50);
    assert_int_equal(open_in_child(scene.bad, GUARD_ALLOW, &asked, &ns), 0);
    assert_int_equal(asked, 1);
}

static void allows_at_the_deadline(void **state)
{
    int asked;
    uint64_t ns;
    (void)state;
    assert_int_equal(open_in_child(scene.bad, -1, &asked, &ns), 0);
    assert_int_equal(asked, 1);
    assert_true(ns > UINT64_C(1900000000) && ns < UINT64_C(3500000000));
}

static void frees_all_when_it_dies(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(open(scene.bad, O_RDONLY) < 0);
    poll(NULL, 0, 200);
    int status;
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* is held */
    end_guard();
    for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++)
        poll(NULL, 0, 20);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void lets_the_engine_pass(void **state)
{
    (void)state;
    int gate[2];
    must(pipe(gate) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char b;
        must(read(gate[0], &b, 1) == 1);
        _exit(open(scene.bad, O_RDONLY) < 0);
    }
    packet_start(&out, VERB_ENGINE);
    packet_put_i64(&out, pid);
    packet_put_i64(&out, 77);
    packet_put_u8(&out, 1);
    must(packet_send(scene.judge, &out) == RC_OK);
    poll(NULL, 0, 50);
    must(write(gate[1], "x", 1) == 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(packet_receive(scene.judge, &in, false), RC_NOT_FOUND);
    close(gate[0]);
    close(gate[1]);
}

static void excludes_folders(void **state)
{
    struct agent_config cfg;
    char why[200], host[] = "server_host=x", ex[] = "exclusions=/srv/data:/opt/", st[] = "state_dir=/var/lib/agent";
    (void)state;
    must(config_load(&cfg, NULL, true, (char *[]){host, ex, st}, 3, why, sizeof(why)) == RC_OK);
    static const char *const yes[] = {"/proc/1/exe",
                                      "/sys",
                                      "/dev/null",
                                      "/srv/data",
                                      "/srv/data/x",
                                      "/opt/a",
                                      "/var/lib/agent/protect/quarantine/x"};
    static const char *const no[] = {"/srv/database",   "/srv", "/procedure", "/optional",
                                     "/var/lib/agents", "/",    "/home/dev"};
    for (size_t i = 0; i < 7; i++) {
        assert_true(judge_excluded(&cfg, yes[i]));
        assert_false(judge_excluded(&cfg, no[i]));
    }
    config_done(&cfg);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(remembers),
        cmocka_unit_test(packets_are_bounded),
        cmocka_unit_test(excludes_folders),
    };
    const struct CMUnitTest held[] = {
        cmocka_unit_test_setup_teardown(holds_and_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(allows_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(frees_all_when_it_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_the_engine_pass, setup, teardown),
    };
    int failed = cmocka_run_group_tests_name("memory", plain, NULL, NULL);
    if (geteuid() != 0) {
        fprintf(stderr, "[  SKIPPED ] holding accesses needs root\n");
        return failed;
    }
    alarm(100);
    return failed + cmocka_run_group_tests_name("guard", held, NULL, NULL);
}
