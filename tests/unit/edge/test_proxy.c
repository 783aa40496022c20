/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY header: every cut of a good one wants more, every wrong byte of its fixed part is refused, and what stands
 * behind it is not touched. */
#include "edge/proxy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const uint8_t v4[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\x11\x7f\0\0\1\xd4\x31\x20\xfb\x16\x03\x01";
static const uint8_t v6[] =
    "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x28"
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06\xd4\x31\x20\xfb\x04\0\1\0"; /* with one value behind */

static void expect(const uint8_t *p, size_t n, enum proxy_header verdict, const char *address, size_t took)
{
    struct address from = {{0}};
    char text[ADDRESS_TEXT_SIZE];
    size_t used = 0;

    assert_int_equal(proxy_header_parse(p, n, &from, &used), verdict);
    if (address)
        assert_string_equal(address_text(&from, text), address);
    if (took)
        assert_int_equal(used, took);
}

static void test_good(void **state)
{
    (void)state;
    expect(v4, sizeof(v4) - 1, PROXY_KNOWN, "192.0.2.17", 28);
    expect(v6, sizeof(v6) - 1, PROXY_KNOWN, "2001:db8::5", 56);
    for (size_t n = 0; n < 28; n++)
        expect(v4, n, PROXY_MORE, NULL, 0);
    for (size_t n = 0; n < 56; n++)
        expect(v6, n, PROXY_MORE, NULL, 0);
}

static void test_local(void **state)
{
    uint8_t b[28];

    (void)state;
    memcpy(b, v4, sizeof(b));
    b[12] = 0x20; /* LOCAL: a health check */
    expect(b, 28, PROXY_LOCAL, NULL, 28);
    b[12] = 0x21;
    b[13] = 0x31; /* a socket file */
    expect(b, 28, PROXY_LOCAL, NULL, 28);
    b[13] = 0;
    b[15] = 0;
    expect(b, 16, PROXY_LOCAL, NULL, 16);
}

static void test_bad(void **state)
{
    uint8_t b[28];

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        memcpy(b, v4, sizeof(b));
        b[i] ^= 1;
        expect(b, sizeof(b), PROXY_BAD, NULL, 0);
        expect(b, i + 1, PROXY_BAD, NULL, 0); /* at once, not when all has come */
    }
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{12, 0x11}, {12, 0x31}, {12, 0x22}, {13, 0x41}, {13, 0x13}, {13, 0x12}, {14, 4}, {15, 11}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memcpy(b, v4, sizeof(b));
        b[wrong[i].at] = wrong[i].value;
        expect(b, sizeof(b), PROXY_BAD, NULL, 0);
    }
    expect((const uint8_t *)"PROXY TCP4 192.0.2.17 127.0.0.1 1 2\r\n", 37, PROXY_BAD, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_local),
                                       cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
