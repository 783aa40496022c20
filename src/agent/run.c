/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - see run.h. */
#define _GNU_SOURCE
#include "agent/run.h"
#include "common/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENV_MAX 16

/* posix_spawn does not write to its strings; its type is older than const. */
static void copy_strings(char **out, size_t cap, size_t *n, const char *const *in)
{
    for (; in && *in && *n < cap - 1; in++)
        out[(*n)++] = (char *)(uintptr_t)*in;
    out[*n] = NULL;
}

static enum rc start(const char *const argv[], const char *const env[], int in, int out, pid_t *ret)
{
    static const char *const fixed[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};
    char *args[32], *vars[ENV_MAX];
    size_t n_args = 0, n_vars = 0;
    copy_strings(args, 32, &n_args, argv);
    copy_strings(vars, ENV_MAX, &n_vars, fixed);
    copy_strings(vars, ENV_MAX, &n_vars, env);
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&fa, out, STDERR_FILENO);
    posix_spawnattr_init(&at);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int e = posix_spawn(ret, argv[0], &fa, &at, args, vars);
    posix_spawnattr_destroy(&at);
    posix_spawn_file_actions_destroy(&fa);
    if (e == ENOENT)
        return RC_NOT_FOUND;
    return e ? RC_UNAVAILABLE : RC_OK;
}

/* Feeds and drains until the program has closed its output or the time is over. True: it closed. */
static bool converse(int sock, struct slice input, uint64_t deadline, char *said, size_t size)
{
    size_t sent = 0, n = 0;
    bool open = true;
    while (open) {
        if (sent == input.n)
            shutdown(sock, SHUT_WR);
        struct pollfd p = {sock, (short)(POLLIN | (sent < input.n ? POLLOUT : 0)), 0};
        uint64_t now = clock_mono_ns();
        if (now >= deadline)
            break;
        if (poll(&p, 1, (int)((deadline - now) / 1000000) + 1) < 0 && errno != EINTR)
            break;
        if (sent < input.n && (p.revents & POLLOUT)) {
            ssize_t w = send(sock, input.p + sent, input.n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (w > 0)
                sent += (size_t)w;
            else if (errno != EAGAIN && errno != EINTR)
                sent = input.n; /* it does not read: what it says tells why */
        }
        if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
            char drop[512];
            bool keep = n + 1 < size;
            ssize_t r = recv(sock, keep ? said + n : drop, keep ? size - 1 - n : sizeof(drop), MSG_DONTWAIT);
            if (r > 0 && keep)
                n += (size_t)r;
            else if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
                open = false;
        }
    }
    if (size > 0)
        said[n] = '\0';
    return !open;
}

enum rc run_program(const char *const argv[], const char *const env[], struct slice input, int timeout_ms,
                    int *ret_status, char *ret_said, size_t size)
{
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
    int sv[2];
    pid_t pid;
    if (size > 0)
        ret_said[0] = '\0';
    /* One socket pair instead of two pipes: one descriptor to poll. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return RC_UNAVAILABLE;
    enum rc rc = start(argv, env, sv[1], sv[1], &pid);
    close(sv[1]);
    if (rc != RC_OK) {
        close(sv[0]);
        return rc;
    }
    bool closed = converse(sv[0], input, deadline, ret_said, size);
    close(sv[0]);
    int status = 0;
    for (;;) {
        pid_t w = waitpid(pid, &status, closed ? 0 : WNOHANG);
        if (w == pid || (w < 0 && errno != EINTR))
            break;
        if (w == 0) {
            kill(pid, SIGKILL);
            closed = true;
        }
    }
    if (!WIFEXITED(status))
        return RC_UNAVAILABLE;
    *ret_status = WEXITSTATUS(status);
    return RC_OK;
}
