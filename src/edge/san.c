/* SPDX-License-Identifier: Apache-2.0 */
/* san.c - reads GeneralNames by hand: definite lengths only, each checked against what is left. A certificate with two
 * names of ours is refused rather than guessed at. */
#include "edge/san.h"

#define TAG_SEQUENCE 0x30
#define TAG_URI      0x86 /* [6] IMPLICIT IA5String */

/* Takes one element off *rest; false when it is not whole or its length is not in DER's only form. */
static bool take(struct slice *rest, unsigned *ret_tag, struct slice *ret_value)
{
    const unsigned char *p = (const unsigned char *)rest->p;
    size_t head = 2, length, bytes;

    if (rest->n < 2)
        return false;
    length = p[1];
    if (length & 0x80) {
        bytes = length & 0x7F;
        if (bytes == 0 || bytes > 3 || rest->n < 2 + bytes || p[2] == 0)
            return false;
        length = 0;
        for (size_t i = 0; i < bytes; i++)
            length = length << 8 | p[2 + i];
        if (length < 0x80)
            return false;
        head += bytes;
    }
    if (length > rest->n - head)
        return false;
    *ret_tag = p[0];
    *ret_value = (struct slice){rest->p + head, length};
    rest->p += head + length;
    rest->n -= head + length;
    return true;
}

static bool is_tenant(struct slice s)
{
    if (s.n == 0 || s.n > 40 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
            return false;
    return true;
}

bool san_parse_uri(struct slice uri, struct slice platform_domain, char ret_tenant[41], struct uuid *ret_device)
{
    static const struct slice scheme = {"sekisho://", 10}, agent = {"agent.", 6};
    struct slice host, tenant;
    struct uuid device;

    if (!slice_starts(uri, scheme))
        return false;
    uri.p += scheme.n;
    uri.n -= scheme.n;
    host = slice_cut(&uri, '/');
    tenant = slice_cut(&host, '.');
    if (!is_tenant(tenant) || !slice_starts(host, agent))
        return false;
    host.p += agent.n;
    host.n -= agent.n;
    if (!slice_ieq(host, platform_domain) || !uuid_parse(uri, &device))
        return false;
    memcpy(ret_tenant, tenant.p, tenant.n);
    ret_tenant[tenant.n] = 0;
    *ret_device = device;
    return true;
}

bool san_find(struct slice der, struct slice platform_domain, char ret_tenant[41], struct uuid *ret_device)
{
    struct slice names, value, tail = der;
    char tenant[41];
    struct uuid device;
    unsigned tag;
    int found = 0;

    if (!take(&tail, &tag, &names) || tag != TAG_SEQUENCE || tail.n)
        return false;
    while (names.n) {
        if (!take(&names, &tag, &value))
            return false;
        if (tag == TAG_URI && san_parse_uri(value, platform_domain, tenant, &device))
            found++;
    }
    if (found != 1)
        return false;
    memcpy(ret_tenant, tenant, sizeof(tenant));
    *ret_device = device;
    return true;
}
