/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY header of a load balancer: never past its end, bounded, and the same verdict for a header whatever follows.
 */
#include "common/must.h"
#include "edge/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address from, again;
    size_t n = 0, m = 0;
    enum proxy_header v = proxy_header_parse(data, size, &from, &n);

    if (v == PROXY_KNOWN || v == PROXY_LOCAL) {
        must(n <= size && n <= PROXY_HEADER_MAX);
        must(proxy_header_parse(data, n, &again, &m) == v && m == n);
        must(proxy_header_parse(data, n - 1, &again, &m) == PROXY_MORE);
    }
    must(v != PROXY_MORE || size < PROXY_HEADER_MAX);
    return 0;
}
