/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c - see proxy.h. */
#include "edge/proxy.h"
#include <string.h>

#define FIXED     16
#define VERSION_2 2

enum command { COMMAND_LOCAL, COMMAND_PROXY };
enum family { FAMILY_UNSPECIFIED, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum transport { TRANSPORT_UNSPECIFIED, TRANSPORT_STREAM, TRANSPORT_DATAGRAM };

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum proxy_header proxy_header_parse(const uint8_t *p, size_t n, struct address *ret_from, size_t *ret_n)
{
    size_t known = n < sizeof(signature) ? n : sizeof(signature), length;
    enum command command;
    enum family family;

    if (memcmp(p, signature, known) != 0)
        return PROXY_BAD;
    if (n < FIXED)
        return PROXY_MORE;
    command = p[12] & 15;
    family = p[13] >> 4;
    length = (size_t)p[14] << 8 | p[15];
    if (p[12] >> 4 != VERSION_2 || command > COMMAND_PROXY || family > FAMILY_UNIX || (p[13] & 15) > TRANSPORT_DATAGRAM)
        return PROXY_BAD;
    if (length > PROXY_HEADER_MAX - FIXED)
        return PROXY_BAD;
    if (n < FIXED + length)
        return PROXY_MORE;
    *ret_n = FIXED + length;
    if (command == COMMAND_LOCAL || family == FAMILY_UNSPECIFIED || family == FAMILY_UNIX)
        return PROXY_LOCAL;
    if ((p[13] & 15) != TRANSPORT_STREAM)
        return PROXY_BAD;
    if (family == FAMILY_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET};

        if (length < 12)
            return PROXY_BAD;
        memcpy(&in.sin_addr, p + FIXED, 4);
        address_of_sockaddr((const struct sockaddr *)&in, ret_from);
        return PROXY_KNOWN;
    }
    if (length < 36)
        return PROXY_BAD;
    memcpy(ret_from->b, p + FIXED, 16);
    return PROXY_KNOWN;
}
