/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - see network.h. */
#include "common/network.h"
#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static void set_v4(struct address *a, const void *four)
{
    memcpy(a->b, mapped, sizeof(mapped));
    memcpy(a->b + 12, four, 4);
}

bool address_of_sockaddr(const struct sockaddr *sa, struct address *ret)
{
    switch (sa->sa_family) {
    case AF_INET: {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in)); /* sa may be unaligned */
        set_v4(ret, &in.sin_addr);
        return true;
    }
    case AF_INET6: {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof(in));
        memcpy(ret->b, &in.sin6_addr, 16);
        return true;
    }
    default:
        return false;
    }
}

bool address_parse(struct slice text, struct address *ret)
{
    char s[ADDRESS_TEXT_SIZE];
    uint8_t four[4];

    if (text.n == 0 || text.n >= sizeof(s) || memchr(text.p, 0, text.n))
        return false;
    memcpy(s, text.p, text.n);
    s[text.n] = 0;
    if (inet_pton(AF_INET, s, four) == 1) {
        set_v4(ret, four);
        return true;
    }
    return inet_pton(AF_INET6, s, ret->b) == 1;
}

char *address_text(const struct address *a, char ret[ADDRESS_TEXT_SIZE])
{
    if (is_v4(a))
        inet_ntop(AF_INET, a->b + 12, ret, ADDRESS_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, a->b, ret, ADDRESS_TEXT_SIZE);
    return ret;
}

static bool same_prefix(const struct address *a, const struct address *b, int bits)
{
    size_t whole = (size_t)bits / 8;
    unsigned mask = 0xff00u >> (bits % 8) & 0xff;

    if (memcmp(a->b, b->b, whole) != 0)
        return false;
    return whole == 16 || ((a->b[whole] ^ b->b[whole]) & mask) == 0;
}

bool network_parse(struct slice text, struct network *ret)
{
    struct slice rest = text, address = slice_cut(&rest, '/');
    struct address tail = {{0}};
    uint64_t bits;
    int most;

    if (!address_parse(address, &ret->base))
        return false;
    most = is_v4(&ret->base) && !memchr(address.p, ':', address.n) ? 32 : 128;
    if (address.n == text.n)
        bits = (uint64_t)most;
    else if (!slice_u64(rest, &bits) || bits > (uint64_t)most)
        return false;
    ret->bits = (int)bits + 128 - most;
    for (int i = 0; i < 128; i++)
        if (i < ret->bits && ret->base.b[i / 8] & 0x80 >> i % 8)
            tail.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return memcmp(tail.b, ret->base.b, 16) == 0;
}

enum rc network_list_parse(struct slice text, struct network *ret, size_t max, size_t *ret_n, struct slice *ret_bad)
{
    struct slice rest = slice_trim(text);

    *ret_n = 0;
    while (rest.n) {
        struct slice one = slice_trim(slice_cut(&rest, ','));

        *ret_bad = one;
        if (*ret_n == max)
            return RC_OVER_QUOTA;
        if (!network_parse(one, &ret[*ret_n]))
            return RC_INVALID;
        ++*ret_n;
    }
    return RC_OK;
}

bool network_has(const struct network *n, const struct address *a)
{
    return same_prefix(&n->base, a, n->bits);
}

bool network_list_has(const struct network *list, size_t n, const struct address *a)
{
    for (size_t i = 0; i < n; i++)
        if (network_has(&list[i], a))
            return true;
    return false;
}
