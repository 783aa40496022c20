/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - what all tests of the base layer share: cmocka with what it wants included first, a check that something
 * aborts (in a child, so that the test goes on), and scratch folders. */
#ifndef SEKISHO_TEST_UNIT_H
#define SEKISHO_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/id.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define assert_slice(s, text) unit_assert_slice((s), slice_of(text), __FILE__, __LINE__)

static inline void unit_assert_slice(struct slice s, struct slice expected, const char *file, int line)
{
    if (!slice_eq(s, expected)) {
        print_error("got \"" SLICE_FMT "\", expected \"" SLICE_FMT "\"\n", SLICE_ARG(s), SLICE_ARG(expected));
        _fail(file, line);
    }
}

/* Runs fn(arg) in a child and tells whether it ended by abort(). What it printed goes to out (NUL-ended) when given. */
static inline int unit_aborts(void (*fn)(void *), void *arg, char *out, size_t out_size)
{
    int pipe_fds[2];
    int status = 0;
    size_t n = 0;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        fn(arg);
        _exit(0);
    }
    close(pipe_fds[1]);
    for (;;) {
        char part[512];
        ssize_t got = read(pipe_fds[0], part, sizeof(part));

        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got && n + 1 < out_size; i++)
            out[n++] = part[i];
    }
    if (out_size)
        out[n] = 0;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* A fresh folder; its path is freed by unit_folder_remove together with all in it. */
static inline char *unit_folder(void)
{
    const char *base = getenv("TMPDIR");
    size_t size = (base ? strlen(base) : 4) + 32;
    char *path = malloc(size);

    assert_non_null(path);
    snprintf(path, size, "%s/sekisho-unit-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void unit_remove(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        size_t size = strlen(path) + sizeof(entry->d_name) + 2;
        char *below;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        below = malloc(size);
        assert_non_null(below);
        snprintf(below, size, "%s/%s", path, entry->d_name);
        unit_remove(below);
        free(below);
    }
    if (folder)
        closedir(folder);
    assert_int_equal(remove(path), 0);
}

static inline void unit_folder_remove(char *path)
{
    unit_remove(path);
    free(path);
}

static inline void unit_write(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

#endif
