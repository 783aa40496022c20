/* SPDX-License-Identifier: Apache-2.0 */
/* permission.c - the bit mask of functionalities and levels: two bits each, the level as a number. Pure functions. */
#include "call/permission.h"
#include "common/must.h"

static const struct {
    const char *name;
    const char *levels[ACCESS_WRITE];
} functionalities[] = {
#define X(name) {#name, {#name ".read", #name ".use", #name ".write"}},
    PERMISSION_FUNCTIONALITIES(X)
#undef X
};

_Static_assert(FUNCTIONALITY_COUNT * 2 <= 32, "a permission set is 32 bits");

static unsigned level_of(uint32_t bits, enum functionality f)
{
    return bits >> (2 * (unsigned)f) & 3;
}

uint32_t permission_bits(enum functionality f, enum access_level l)
{
    must(f < FUNCTIONALITY_COUNT && l >= ACCESS_READ && l <= ACCESS_WRITE);
    return (uint32_t)l << (2 * (unsigned)f);
}

bool permission_allows(uint32_t bits, const char *permission)
{
    bool known = false, allowed = false;

    for (unsigned f = 0; f < FUNCTIONALITY_COUNT && !known; f++)
        for (unsigned l = ACCESS_READ; l <= ACCESS_WRITE; l++)
            if (strcmp(functionalities[f].levels[l - 1], permission) == 0) {
                known = true;
                allowed = level_of(bits, (enum functionality)f) >= l;
            }
    must(known);
    return allowed;
}

size_t permission_names(uint32_t bits, const char *out[FUNCTIONALITY_COUNT * 3])
{
    size_t n = 0;

    for (unsigned f = 0; f < FUNCTIONALITY_COUNT; f++)
        for (unsigned l = ACCESS_READ; l <= level_of(bits, (enum functionality)f); l++)
            out[n++] = functionalities[f].levels[l - 1];
    return n;
}
