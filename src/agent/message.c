/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - see message.h. */
#define _GNU_SOURCE
#include "agent/message.h"
#include "agent/run.h"
#include "common/arena.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#define DESKTOPS_MAX 32

void message_clean(struct strbuf *out, struct slice text, const char *newline)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        /* C1 controls reach a terminal as U+0080-009F, in UTF-8 0xC2 0x80-0x9F */
        bool c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
        if (c1)
            i++;
        if (c == '\n')
            strbuf_add_str(out, newline);
        else if (c1 || (c < 0x20 && c != '\t') || c == 0x7f)
            strbuf_add_char(out, ' ');
        else
            strbuf_add_char(out, (char)c);
    }
}

static bool line_safe(const char *line)
{
    return line[0] != '\0' && line[0] != '/' && !strstr(line, "..") && line[0] != ':';
}

static bool show_on(const char *root, const char *line, struct slice text)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof(path), "%s/dev/%s", root, line);
    int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    /* a stopped terminal takes nothing: that is not shown, and no reason to wait */
    bool ok = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && isatty(fd) && write(fd, text.p, text.n) > 0;
    close(fd);
    return ok;
}

static int show_on_terminals(const char *root, struct slice text)
{
    struct arena *a = arena_new(8 * 1024 * 1024);
    struct slice records;
    char path[512];
    int shown = 0;
    snprintf(path, sizeof(path), "%s/run/utmp", root);
    if (file_read(a, path, 4 * 1024 * 1024, &records) == RC_OK) {
        for (size_t at = 0; at + sizeof(struct utmp) <= records.n; at += sizeof(struct utmp)) {
            struct utmp u;
            char line[UT_LINESIZE + 1] = {0};
            memcpy(&u, records.p + at, sizeof(u));
            memcpy(line, u.ut_line, UT_LINESIZE);
            if (u.ut_type == USER_PROCESS && line_safe(line) && show_on(root, line, text))
                shown++;
        }
    }
    arena_free(&a);
    return shown;
}

/* Runs as the session's user: the bus accepts nobody else, and nothing of theirs is touched with our rights. */
static bool notify(const char *program, uid_t uid, const char *bus, const char *title, const char *text)
{
    struct passwd *pw = getpwuid(uid);
    if (!pw)
        return false;
    char address[900], home[600];
    snprintf(address, sizeof(address), "DBUS_SESSION_BUS_ADDRESS=unix:path=%s", bus);
    snprintf(home, sizeof(home), "HOME=%s", pw->pw_dir);
    pid_t pid = fork();
    if (pid == 0) {
        int status = 1;
        const char *argv[] = {program, "--app-name=Sekisho", "--urgency=critical", "--", title, text, NULL};
        const char *env[] = {address, home, NULL};
        char said[256];
        if (geteuid() == 0 && (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(uid) < 0))
            _exit(1);
        if (geteuid() != uid || run_program(argv, env, SLICE(""), 5000, &status, said, sizeof(said)) != RC_OK)
            _exit(1);
        _exit(status == 0 ? 0 : 1);
    }
    int status;
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int show_on_desktops(const char *root, const char *program, const char *title, const char *text)
{
    char path[512], bus[800];
    struct stat st;
    int shown = 0, tried = 0;
    if (program[0] == '\0' || access(program, X_OK) < 0)
        return 0;
    snprintf(path, sizeof(path), "%s/run/user", root);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *e; tried < DESKTOPS_MAX && (e = readdir(d));) {
        int uid;
        if (!slice_int(slice_of(e->d_name), 0, 2147483647, &uid))
            continue;
        snprintf(bus, sizeof(bus), "%s/%s/bus", path, e->d_name);
        if (stat(bus, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != (uid_t)uid)
            continue;
        tried++;
        shown += notify(program, (uid_t)uid, bus, title, text);
    }
    closedir(d);
    return shown;
}

int message_show(const char *root, const char *notify_send, struct slice title, struct slice text)
{
    struct strbuf wall, head, body;
    const char *prefix = strcmp(root, "/") == 0 ? "" : root;
    strbuf_init(&wall, 16384);
    strbuf_init(&head, 1024);
    strbuf_init(&body, 8192);
    strbuf_add_str(&wall, "\r\n\a*** ");
    message_clean(&wall, title, " ");
    strbuf_add_str(&wall, " ***\r\n");
    message_clean(&wall, text, "\r\n");
    strbuf_add_str(&wall, "\r\n");
    message_clean(&head, title, " ");
    message_clean(&body, text, "\n");
    strbuf_add_str(&head, "");
    strbuf_add_str(&body, "");
    int shown = show_on_terminals(prefix, strbuf_slice(&wall));
    shown += show_on_desktops(prefix, notify_send, head.n ? head.p : "Sekisho", body.n ? body.p : "");
    strbuf_done(&body);
    strbuf_done(&head);
    strbuf_done(&wall);
    return shown;
}
