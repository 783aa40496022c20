/* SPDX-License-Identifier: Apache-2.0 */
/* must.c - the end of a process that found a mistake of its own. Writes straight to file descriptor 2: the heap, locks
 * and the log may be what is broken. */
#include "common/must.h"
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local const char *current_stage;
static _Thread_local const char *current_subject;

void must_context(const char *stage, const char *subject)
{
    current_stage = stage;
    current_subject = subject;
}

_Noreturn void must_fail(const char *what, const char *file, int line, const char *func)
{
    void *frames[64];
    int n;

    dprintf(STDERR_FILENO, "must failed: %s\n  at %s:%d in %s\n  stage: %s\n  subject: %s\n  process: %d\n", what, file,
            line, func, current_stage ? current_stage : "-", current_subject ? current_subject : "-", (int)getpid());
    n = backtrace(frames, 64);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
    abort();
}

void *must_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    must(p != NULL);
    return p;
}

void *must_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    must(q != NULL);
    return q;
}

char *must_strdup(const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(must_alloc(n), s, n);
}

char *must_printf(const char *format, ...)
{
    char *s = NULL;
    va_list ap;

    va_start(ap, format);
    must(vasprintf(&s, format, ap) >= 0);
    va_end(ap);
    return s;
}
