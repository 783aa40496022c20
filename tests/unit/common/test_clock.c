/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - RFC 3339 both ways, and time that is fixed. */
/* links: common */
#include "unit.h"

#include "common/clock.h"
#include <fcntl.h>
#include <time.h>

#define LAST INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static void assert_both_ways(usec_t t, const char *text)
{
    char out[CLOCK_RFC3339_SIZE];
    usec_t back = -1;

    assert_string_equal(clock_rfc3339(t, out), text);
    assert_true(clock_parse_rfc3339(slice_of(text), &back));
    assert_true(back == t);
}

static void known_instants(void **state)
{
    (void)state;
    assert_both_ways(0, "1970-01-01T00:00:00Z");
    assert_both_ways(1, "1970-01-01T00:00:00.000001Z");
    assert_both_ways(INT64_C(951782399) * USEC_PER_SEC, "2000-02-28T23:59:59Z");
    assert_both_ways(INT64_C(951782400) * USEC_PER_SEC, "2000-02-29T00:00:00Z");
    assert_both_ways(INT64_C(1709164800) * USEC_PER_SEC + 123456, "2024-02-29T00:00:00.123456Z");
    assert_both_ways(INT64_C(4107542400) * USEC_PER_SEC, "2100-03-01T00:00:00Z");
    assert_both_ways(LAST, "9999-12-31T23:59:59.999999Z");
}

static void texts_out_of_range_are_held(void **state)
{
    char out[CLOCK_RFC3339_SIZE];

    (void)state;
    assert_string_equal(clock_rfc3339(-5, out), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_rfc3339(INT64_MIN, out), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.999999Z");
}

static void assert_parsed(const char *text, const char *same)
{
    char out[CLOCK_RFC3339_SIZE];
    usec_t t;

    assert_true(clock_parse_rfc3339(slice_of(text), &t));
    assert_string_equal(clock_rfc3339(t, out), same);
}

static void other_forms_are_read(void **state)
{
    (void)state;
    assert_parsed("2026-11-24T19:00:00+09:00", "2026-11-24T10:00:00Z");
    assert_parsed("2026-11-24T10:00:00-00:30", "2026-11-24T10:30:00Z");
    assert_parsed("2026-11-24t10:00:00z", "2026-11-24T10:00:00Z");
    assert_parsed("2026-11-24T10:00:00.5Z", "2026-11-24T10:00:00.500000Z");
    assert_parsed("2026-11-24T10:00:00.1234567899Z", "2026-11-24T10:00:00.123456Z");
    assert_parsed("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"); /* a leap second */
    assert_parsed("1969-12-31T20:00:00-05:00", "1970-01-01T01:00:00Z");
}

static void bad_forms_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-24",
        "2026-11-24T10:00Z",
        "2026-11-24T10:00:00",
        "2026-11-24 10:00:00Z",
        "2026-13-24T10:00:00Z",
        "2026-00-24T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2025-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:60:00Z",
        "2026-11-24T10:00:61Z",
        "2026-11-24T10:00:00.Z",
        "2026-11-24T10:00:00+9:00",
        "2026-11-24T10:00:00+0900",
        "2026-11-24T10:00:00+24:00",
        "2026-11-24T10:00:00Zx",
        " 2026-11-24T10:00:00Z",
        "26-11-24T10:00:00Z",
        "-026-11-24T10:00:00Z",
        "2026-11-24T-1:00:00Z",
        "2026-11-24T10:00:00,5Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
    };
    usec_t t = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (clock_parse_rfc3339(slice_of(bad[i]), &t))
            fail_msg("accepted: %s", bad[i]);
    assert_true(t == 7);
}

/* Against the C library's calendar, which is slow but old. */
static void dates_agree_with_the_library(void **state)
{
    char ours[CLOCK_RFC3339_SIZE];
    char theirs[64];

    (void)state;
    random_seed(7);
    for (int i = 0; i < 20000; i++) {
        time_t sec = (time_t)random_below((uint64_t)(LAST / USEC_PER_SEC));
        usec_t t = (usec_t)sec * USEC_PER_SEC;
        struct tm tm;
        usec_t back;

        gmtime_r(&sec, &tm);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(clock_rfc3339(t, ours), theirs);
        t += (usec_t)random_below(1000000);
        assert_true(clock_parse_rfc3339(slice_of(clock_rfc3339(t, ours)), &back) && back == t);
    }
}

static void random_text_never_crashes(void **state)
{
    static const char letters[] = "0123456789-:.+TZtz ";

    (void)state;
    random_seed(8);
    for (int i = 0; i < 50000; i++) {
        char text[40];
        size_t n = random_below(sizeof(text));
        usec_t t;

        for (size_t k = 0; k < n; k++)
            text[k] = letters[random_below(sizeof(letters) - 1)];
        if (clock_parse_rfc3339(slice_mem(text, n), &t))
            assert_true(t >= 0 && t <= LAST);
    }
}

static void wall_time_can_be_fixed_and_shifted(void **state)
{
    usec_t now = clock_now();

    (void)state;
    assert_true(now > INT64_C(1700000000) * USEC_PER_SEC);
    clock_shift(-3600);
    assert_true(clock_now() < now - 3599 * USEC_PER_SEC);
    clock_fix(42);
    assert_true(clock_now() == 42);
    clock_fix(0);
    clock_shift(0);
    assert_true(clock_now() >= now);
}

static void monotonic_time_runs(void **state)
{
    uint64_t before = clock_mono_ns();
    uint64_t after;

    (void)state;
    usleep(2000);
    after = clock_mono_ns();
    assert_true(after - before >= 1000000);
}

/* In a child; aborts when all is as it should be. */
static void read_shifted(void *arg)
{
    int64_t apart;

    (void)arg;
    setenv("SEKISHO_CLOCK_OFFSET", "-86400", 1);
    apart = clock_now() / USEC_PER_SEC - (int64_t)time(NULL) + 86400;
    if (apart >= -1 && apart <= 1)
        abort();
}

static int64_t seconds_apart(void)
{
    return clock_now() / USEC_PER_SEC - (int64_t)time(NULL);
}

static bool near(int64_t a, int64_t b)
{
    return a - b >= -1 && a - b <= 1;
}

struct steps {
    const char *testing;
    mode_t mode;
    bool obeyed;
};

/* In a child; aborts when a running clock follows the file, or does not, as it should. */
static void step_by_file(void *arg)
{
    const struct steps *s = arg;
    char *folder = unit_folder();
    char path[200];
    int64_t seconds = 3600;
    bool fine;
    int fd;

    snprintf(path, sizeof(path), "%s/clock", folder);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    fine = fd >= 0 && pwrite(fd, &seconds, sizeof(seconds), 0) == sizeof(seconds) && fchmod(fd, s->mode) == 0;
    setenv("SEKISHO_CLOCK_FILE", path, 1);
    if (s->testing)
        setenv("SEKISHO_TESTING", s->testing, 1);
    fine = fine && near(seconds_apart(), s->obeyed ? 3600 : 0);
    seconds = -86400;
    fine = fine && pwrite(fd, &seconds, sizeof(seconds), 0) == sizeof(seconds) &&
           near(seconds_apart(), s->obeyed ? -86400 : 0);
    seconds = INT64_MAX;
    fine = fine && pwrite(fd, &seconds, sizeof(seconds), 0) == sizeof(seconds) && near(seconds_apart(), 0);
    unit_folder_remove(folder);
    if (fine)
        abort();
}

int main(void)
{
    struct steps steps[] = {{"1", 0600, true}, {NULL, 0600, false}, {"0", 0600, false}, {"1", 0622, false}};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants),
        cmocka_unit_test(texts_out_of_range_are_held),
        cmocka_unit_test(other_forms_are_read),
        cmocka_unit_test(bad_forms_are_refused),
        cmocka_unit_test(dates_agree_with_the_library),
        cmocka_unit_test(random_text_never_crashes),
        cmocka_unit_test(wall_time_can_be_fixed_and_shifted),
        cmocka_unit_test(monotonic_time_runs),
    };

    /* Before any other reading of the clock: the variable is read once. */
    if (!unit_aborts(read_shifted, NULL, NULL, 0))
        return 1;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (!unit_aborts(step_by_file, &steps[i], NULL, 0))
            return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
