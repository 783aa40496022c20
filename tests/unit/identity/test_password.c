/* SPDX-License-Identifier: Apache-2.0 */
/* test_password.c - hashing, equal time for unknown names, policy. */
#include "common/clock.h"
/* links: identity common */
#include "identity/password.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void hash_and_verify(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct slice h, again;
    assert_int_equal(password_hash(a, SLICE("correct horse 9"), &h), RC_OK);
    assert_true(slice_starts(h, SLICE("$argon2id$v=19$m=65536,t=3,p=1$")));
    assert_false(password_stale(h));
    assert_true(password_stale(SLICE("$argon2id$v=19$m=4096,t=3,p=1$AAAA")));
    assert_int_equal(password_verify(h, SLICE("correct horse 9")), RC_OK);
    assert_int_equal(password_verify(h, SLICE("correct horse 8")), RC_DENIED);
    assert_int_equal(password_verify(h, SLICE("")), RC_DENIED);
    assert_int_equal(password_hash(a, SLICE("correct horse 9"), &again), RC_OK);
    assert_false(slice_eq(h, again));
    arena_free(&a);
}

/* Damaged rows are not run: the library would take memory and passes from the text. */
static void damaged_hashes(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "$argon2i$v=19$m=65536,t=3,p=1$AAAA$AAAA",
                                      "$argon2id$v=19$m=99999999,t=3,p=1$AAAAAAAAAAA$AAAAAAAAAAA",
                                      "$argon2id$v=19$m=65536,t=3,p=99$AAAAAAAAAAA$AAAAAAAAAAA",
                                      "$argon2id$v=19$m=65536,t=0,p=1$AAAAAAAAAAA$AAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(password_verify(slice_of(bad[i]), SLICE("correct horse 9")), RC_INTERNAL);
}

static void unknown_and_new_names_take_as_long(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct slice h, drawn;
    assert_int_equal(password_hash_random(a, SLICE("43gDk-HtXcE-eE9th-dhFxr"), &drawn), RC_OK);
    assert_true(password_stale(drawn));
    assert_int_equal(password_verify(drawn, SLICE("43gDk-HtXcE-eE9th-dhFxr")), RC_OK);
    assert_int_equal(password_hash(a, SLICE("correct horse 9"), &h), RC_OK);
    password_verify_nobody(SLICE("x"));
    /* the fastest of several: other work on the machine only slows down */
    uint64_t known = UINT64_MAX, nobody = UINT64_MAX, first = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t t0 = clock_mono_ns();
        assert_int_equal(password_verify(h, SLICE("wrong horse 10")), RC_DENIED);
        uint64_t t1 = clock_mono_ns();
        password_verify_nobody(SLICE("wrong horse 10"));
        uint64_t t2 = clock_mono_ns();
        assert_int_equal(password_verify(drawn, SLICE("wrong horse 10")), RC_DENIED);
        uint64_t t3 = clock_mono_ns();
        first = t3 - t2 < first ? t3 - t2 : first;
        known = t1 - t0 < known ? t1 - t0 : known;
        nobody = t2 - t1 < nobody ? t2 - t1 : nobody;
    }
    assert_true(nobody < known * 2 && known < nobody * 2);
    assert_true(first < known * 2 && known < first * 2);
    arena_free(&a);
}

static enum password_fault check(const char *p)
{
    return password_check(slice_of(p), SLICE("takahashi"), SLICE("kaede"));
}

static void policy(void **state)
{
    (void)state;
    assert_int_equal(check("Brisk-Otter-41"), PASSWORD_GOOD);
    assert_int_equal(check("春は曙やうやう白くなりゆく"), PASSWORD_GOOD);
    assert_int_equal(check("short-11-ch"), PASSWORD_SHORT);
    assert_int_equal(check("春は曙"), PASSWORD_SHORT);
    assert_int_equal(check("takahashi123"), PASSWORD_IS_NAME);
    assert_int_equal(check("TAKAHASHI!!!!1"), PASSWORD_IS_NAME);
    assert_int_equal(check("kaedekaede12"), PASSWORD_IS_NAME);
    assert_int_equal(check("a long walk with takahashi"), PASSWORD_GOOD);
    assert_int_equal(check("password1234"), PASSWORD_COMMON);
    assert_int_equal(check("2024Password!"), PASSWORD_COMMON);
    assert_int_equal(check("administrator"), PASSWORD_COMMON);
    assert_int_equal(check("aaaaaaaaaaaaaaa"), PASSWORD_PLAIN);
    assert_int_equal(check("abababababab"), PASSWORD_PLAIN);
    assert_int_equal(check("abcdefghijklm"), PASSWORD_PLAIN);
    assert_int_equal(check("1234567890123"), PASSWORD_GOOD + PASSWORD_PLAIN);
    for (int f = PASSWORD_SHORT; f <= PASSWORD_PLAIN; f++)
        assert_true(strlen(password_fault_text(f, true)) > 0 && strlen(password_fault_text(f, false)) > 0);
}

static void first_passwords(void **state)
{
    (void)state;
    struct arena *a = arena_new(65536);
    struct slice p = password_new(a), q = password_new(a);
    assert_int_equal(password_check(p, SLICE("admin"), SLICE("acme")), PASSWORD_GOOD);
    assert_int_equal(p.n, 23);
    assert_false(slice_eq(p, q));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hash_and_verify), cmocka_unit_test(damaged_hashes),
                                       cmocka_unit_test(unknown_and_new_names_take_as_long), cmocka_unit_test(policy),
                                       cmocka_unit_test(first_passwords)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
