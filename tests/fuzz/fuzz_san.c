/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_san.c - the SAN parser on arbitrary bytes, as DER and as a bare URI. What it accepts must be well formed. */
#include "common/must.h"
#include "edge/san.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_mem(data, size);
    char tenant[41];
    struct uuid device;

    if (san_find(in, SLICE("sekisho.internal"), tenant, &device))
        must(strlen(tenant) >= 1 && strlen(tenant) <= 40);
    if (san_parse_uri(in, SLICE("sekisho.internal"), tenant, &device))
        must(strlen(tenant) >= 1 && strlen(tenant) <= 40);
    return 0;
}
