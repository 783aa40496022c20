/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - wall and monotonic time, and RFC 3339 without the C library's calendar: that one takes a lock and follows
 * the machine's time zone. */
#include "common/clock.h"
#include "common/must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY   INT64_C(86400)
#define LAST  (INT64_C(253402300800) * USEC_PER_SEC - 1) /* end of the year 9999 */
#define SHIFT (INT64_C(100) * 366 * DAY)                 /* the greatest offset that is taken serious */

static _Atomic usec_t fixed;
static _Atomic int64_t shift_usec;
static const _Atomic int64_t *steps; /* seconds, in the mapped file of a test; NULL: none */
static pthread_once_t shift_once = PTHREAD_ONCE_INIT;

/* A file that a stranger could write would give him the clock: certificates would live and die as he likes. */
static void map_steps(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    void *p;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(*steps) &&
        (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH))) {
        p = mmap(NULL, sizeof(*steps), PROT_READ, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED)
            steps = p;
    }
    close(fd);
}

static void shift_from_environment(void)
{
    const char *text = getenv("SEKISHO_CLOCK_OFFSET");
    const char *testing = secure_getenv("SEKISHO_TESTING");
    const char *path = secure_getenv("SEKISHO_CLOCK_FILE");
    int64_t seconds;

    if (path && testing && slice_eq(slice_of(testing), SLICE("1")))
        map_steps(path);
    if (text && slice_i64(slice_of(text), &seconds) && seconds > -SHIFT && seconds < SHIFT)
        atomic_store(&shift_usec, seconds * USEC_PER_SEC);
}

static usec_t stepped(void)
{
    int64_t seconds = atomic_load_explicit(steps, memory_order_relaxed);

    return seconds > -SHIFT && seconds < SHIFT ? seconds * USEC_PER_SEC : 0;
}

usec_t clock_now(void)
{
    usec_t at = atomic_load_explicit(&fixed, memory_order_relaxed);
    struct timespec ts;

    if (at)
        return at;
    pthread_once(&shift_once, shift_from_environment);
    must(clock_gettime(CLOCK_REALTIME, &ts) == 0);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000 +
           atomic_load_explicit(&shift_usec, memory_order_relaxed) + (steps ? stepped() : 0);
}

uint64_t clock_mono_ns(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void clock_fix(usec_t at)
{
    atomic_store(&fixed, at);
}

void clock_shift(int64_t seconds)
{
    must(seconds > -SHIFT && seconds < SHIFT);
    pthread_once(&shift_once, shift_from_environment); /* else it would undo this later */
    atomic_store(&shift_usec, seconds * USEC_PER_SEC);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; years are counted from March so that leap days come last.
 */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static char *put(char *at, int64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return at + width;
}

char *clock_rfc3339(usec_t t, char out[CLOCK_RFC3339_SIZE])
{
    char *at = out;
    int year;
    int month;
    int day;
    int64_t sec;

    t = t < 0 ? 0 : t > LAST ? LAST : t;
    sec = t / USEC_PER_SEC;
    date_of(sec / DAY, &year, &month, &day);
    at = put(at, year, 4);
    *at++ = '-';
    at = put(at, month, 2);
    *at++ = '-';
    at = put(at, day, 2);
    *at++ = 'T';
    at = put(at, sec % DAY / 3600, 2);
    *at++ = ':';
    at = put(at, sec % 3600 / 60, 2);
    *at++ = ':';
    at = put(at, sec % 60, 2);
    if (t % USEC_PER_SEC) {
        *at++ = '.';
        at = put(at, t % USEC_PER_SEC, 6);
    }
    *at++ = 'Z';
    *at = 0;
    return out;
}

/* Takes width digits off the front. */
static bool take_number(struct slice *s, size_t width, int min, int max, int *ret)
{
    if (s->n < width || !slice_int(slice_mem(s->p, width), min, max, ret) || s->p[0] == '-')
        return false;
    *s = slice_mem(s->p + width, s->n - width);
    return true;
}

static bool take_char(struct slice *s, char a, char b)
{
    if (s->n == 0 || (s->p[0] != a && s->p[0] != b))
        return false;
    *s = slice_mem(s->p + 1, s->n - 1);
    return true;
}

static bool take_fraction(struct slice *s, int64_t *ret_usec)
{
    int64_t usec = 0;
    size_t n = 0;

    if (!take_char(s, '.', '.')) {
        *ret_usec = 0;
        return true;
    }
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (n < 6)
            usec = usec * 10 + (s->p[n] - '0');
    for (size_t i = n; i < 6; i++)
        usec *= 10;
    *s = slice_mem(s->p + n, s->n - n);
    *ret_usec = usec;
    return n > 0;
}

static bool take_offset(struct slice *s, int *ret_seconds)
{
    int hours;
    int minutes;
    bool west;

    if (take_char(s, 'Z', 'z')) {
        *ret_seconds = 0;
        return true;
    }
    west = s->n && s->p[0] == '-';
    if (!take_char(s, '+', '-') || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ':', ':') ||
        !take_number(s, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

bool clock_parse_rfc3339(struct slice s, usec_t *ret)
{
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    int offset;
    int64_t fraction;
    usec_t t;

    if (!take_number(&s, 4, 1969, 9999, &year) || !take_char(&s, '-', '-') || !take_number(&s, 2, 1, 12, &month) ||
        !take_char(&s, '-', '-') || !take_number(&s, 2, 1, 31, &day) || day > days_in_month(year, month) ||
        !take_char(&s, 'T', 't') || !take_number(&s, 2, 0, 23, &hour) || !take_char(&s, ':', ':') ||
        !take_number(&s, 2, 0, 59, &minute) || !take_char(&s, ':', ':') || !take_number(&s, 2, 0, 60, &second) ||
        !take_fraction(&s, &fraction) || !take_offset(&s, &offset) || s.n)
        return false;
    /* A leap second counts as the first second after it, as the kernel's clock does. 1969 is let in for offsets only.
     */
    t = (days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset) * USEC_PER_SEC + fraction;
    if (t < 0 || t > LAST)
        return false;
    *ret = t;
    return true;
}
