/* SPDX-License-Identifier: Apache-2.0 */
/* must.h - assertions that stay on in release builds. For our own mistakes only: bytes from network, disk, Redis or
 * PostgreSQL are checked and refused, never asserted. A failure prints what the thread was doing (must_context) and a
 * backtrace, then aborts. */
#ifndef SEKISHO_MUST_H
#define SEKISHO_MUST_H

#include <stddef.h>

#define must(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__, __func__))

_Noreturn void must_fail(const char *what, const char *file, int line, const char *func);

/* What this thread is working on, for the crash report; both strings must outlive the work. NULL clears. */
void must_context(const char *stage, const char *subject);

/* Allocation that aborts when memory is out. */
void *must_alloc(size_t n); /* zeroed; free with free() */
void *must_realloc(void *p, size_t n);
char *must_strdup(const char *s);
char *must_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
