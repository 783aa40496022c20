/* SPDX-License-Identifier: Apache-2.0 */
/* test_san.c - device names in certificates: what is ours, and what only looks like it. */
/* links: edge */
#include "edge/san.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>

#define DEVICE "0190a3c2-1111-7222-8333-444455556666"
#define OURS   "sekisho://acme.agent.sekisho.internal/" DEVICE

static bool uri(const char *s)
{
    char tenant[41];
    struct uuid device;

    return san_parse_uri(slice_of(s), SLICE("sekisho.internal"), tenant, &device);
}

static void uris(void **state)
{
    char tenant[41], text[UUID_TEXT_SIZE];
    struct uuid device;

    (void)state;
    assert_true(san_parse_uri(SLICE(OURS), SLICE("sekisho.internal"), tenant, &device));
    assert_string_equal(tenant, "acme");
    assert_string_equal(uuid_text(device, text), DEVICE);
    assert_false(uri(""));
    assert_false(uri("sekisho://"));
    assert_false(uri("https://acme.agent.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://acme.agent.other.internal/" DEVICE));
    assert_false(uri("sekisho://acme.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://.agent.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://ac me.agent.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://ACME.agent.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://acme.agent.sekisho.internal.evil/" DEVICE));
    assert_false(uri("sekisho://acme.evil.agent.sekisho.internal/" DEVICE));
    assert_false(uri("sekisho://acme.agent.sekisho.internal/" DEVICE "/"));
    assert_false(uri("sekisho://acme.agent.sekisho.internal/nonsense"));
    assert_false(uri("sekisho://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.agent.sekisho.internal/" DEVICE));
}

static bool der(const void *p, size_t n)
{
    char tenant[41];
    struct uuid device;

    return san_find(slice_mem(p, n), SLICE("sekisho.internal"), tenant, &device);
}

static size_t general_names(uint8_t *out, const char *const *uris_in, size_t n_uris)
{
    size_t n = 2;

    for (size_t i = 0; i < n_uris; i++) {
        size_t length = strlen(uris_in[i]);

        out[n++] = 0x86;
        out[n++] = (uint8_t)length;
        memcpy(out + n, uris_in[i], length);
        n += length;
    }
    out[0] = 0x30;
    assert_true(n - 2 < 128);
    out[1] = (uint8_t)(n - 2);
    return n;
}

static void names(void **state)
{
    static const char *const one[] = {OURS}, *const mixed[] = {"a:b", OURS}, *const foreign[] = {"a:b", "c:d"};
    static const uint8_t long_form[] = {0x30, 0x81, 0x02, 0x86, 0x00}, unending[] = {0x30, 0x80, 0x00, 0x00},
                         beyond[] = {0x30, 0x05, 0x86, 0x7F, 'x'}, empty[] = {0x30, 0x00};
    uint8_t b[256];
    size_t n;

    (void)state;
    n = general_names(b, one, 1);
    assert_true(der(b, n));
    for (size_t cut = 0; cut < n; cut++)
        assert_false(der(b, cut));
    b[n] = 0;
    assert_false(der(b, n + 1)); /* something behind it */
    n = general_names(b, mixed, 2);
    assert_true(der(b, n));
    n = general_names(b, foreign, 2);
    assert_false(der(b, n));
    assert_false(der(long_form, sizeof(long_form)));
    assert_false(der(unending, sizeof(unending)));
    assert_false(der(beyond, sizeof(beyond)));
    assert_false(der(empty, sizeof(empty)));
}

/* Two names of ours: refused, whichever they are. */
static void two_names(void **state)
{
    uint8_t b[512];
    size_t each = sizeof(OURS) - 1, n = 0;

    (void)state;
    b[n++] = 0x30;
    b[n++] = 0x81;
    b[n++] = (uint8_t)(2 * (each + 2));
    for (int i = 0; i < 2; i++) {
        b[n++] = 0x86;
        b[n++] = (uint8_t)each;
        memcpy(b + n, OURS, each);
        n += each;
    }
    assert_false(der(b, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris),
        cmocka_unit_test(names),
        cmocka_unit_test(two_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
