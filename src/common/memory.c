/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - see memory.h. */
#include "common/memory.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/slice.h"
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#define WORTH_IDLE   (INT64_C(16) << 20)
#define WORTH_BUSY   (INT64_C(64) << 20)
#define BUSY_AGAIN   (UINT64_C(60) * 1000000000)
#define WORTH_A_LINE (INT64_C(1) << 20)

/* /proc/self/statm: size, resident, ... in pages. */
int64_t memory_resident(void)
{
    char text[128];
    struct slice rest;
    int64_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    rest = slice_mem(text, (size_t)n);
    (void)slice_cut(&rest, ' ');
    return slice_i64(slice_cut(&rest, ' '), &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

void memory_turn(bool idle)
{
    static int64_t least; /* after the last time; the first turn begins it */
    static uint64_t last_ns;
    int64_t now = memory_resident(), after;
    uint64_t began = clock_mono_ns();

    if (!least || now < least)
        least = now;
    if (now - least < (idle ? WORTH_IDLE : WORTH_BUSY) || (!idle && began - last_ns < BUSY_AGAIN))
        return;
    malloc_trim(0);
    after = memory_resident();
    least = after;
    last_ns = clock_mono_ns();
    if (now - after >= WORTH_A_LINE)
        ev_info(AREA_SERVER, "memory given back", EV_INT("bytes", now - after), EV_INT("resident", after),
                EV_INT("usec", (last_ns - began) / 1000));
}
