/* SPDX-License-Identifier: Apache-2.0 */
/* sink.c - the HTTP library prints a line to stderr for each odd frame a client sends, so clients could fill the disk.
 * The stream `stderr` (not descriptor 2, which logs and crash reports use) gets a limit of lines a second. */
#include "common/must.h"
#include "edge/edge_private.h"
#include <stdio.h>

#define LINES_A_SECOND 5

static struct {
    pthread_mutex_t lock;
    uint64_t window_ns;
    unsigned lines, dropped;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t sink_write(void *cookie, const char *p, size_t n)
{
    uint64_t now = clock_mono_ns();
    unsigned dropped = 0;
    bool pass;

    (void)cookie;
    pthread_mutex_lock(&sink.lock);
    if (now - sink.window_ns > UINT64_C(1000000000)) {
        sink.window_ns = now;
        sink.lines = 0;
        dropped = sink.dropped;
        sink.dropped = 0;
    }
    pass = sink.lines < LINES_A_SECOND;
    if (pass)
        sink.lines++;
    else
        sink.dropped++;
    pthread_mutex_unlock(&sink.lock);
    if (dropped)
        dprintf(STDERR_FILENO, "(%u lines of the HTTP library were dropped)\n", dropped);
    if (pass && write(STDERR_FILENO, p, n) < 0)
        return 0; /* nowhere to complain */
    return (ssize_t)n;
}

void sink_install(void)
{
    cookie_io_functions_t functions = {.write = sink_write};
    FILE *f = fopencookie(NULL, "w", functions);

    must(f != NULL);
    setvbuf(f, NULL, _IOLBF, 512);
    stderr = f;
}
