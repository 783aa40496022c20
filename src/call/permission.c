/* SPDX-License-Identifier: Apache-2.0 */
/* permission.c - see permission.h. Bit 3 f + l - 1 is level l of functionality f. */
#include "call/permission.h"
#include "common/must.h"

static const char *const names[FUNCTIONALITY_COUNT * 3] = {
#define X(name) #name ".read", #name ".use", #name ".write",
    PERMISSION_FUNCTIONALITIES(X)
#undef X
};

static unsigned levels_of(rights r, enum functionality f)
{
    return r >> (3 * (unsigned)f) & 7;
}

rights rights_allow(enum functionality f, enum access_level most)
{
    must(f < FUNCTIONALITY_COUNT);
    return ((UINT64_C(1) << most) - 1) << (3 * (unsigned)f);
}

rights rights_deny(enum functionality f, enum access_level least)
{
    must(f < FUNCTIONALITY_COUNT);
    return least == ACCESS_NONE ? 0 : rights_allow(f, ACCESS_WRITE) & ~rights_allow(f, (enum access_level)(least - 1));
}

rights rights_level(enum access_level most)
{
    rights r = 0;

    for (unsigned f = 0; f < FUNCTIONALITY_COUNT; f++)
        r |= rights_allow((enum functionality)f, most);
    return r;
}

enum access_level rights_most(rights r, enum functionality f)
{
    unsigned levels = levels_of(r, f);

    return levels & 4 ? ACCESS_WRITE : levels & 2 ? ACCESS_USE : levels & 1 ? ACCESS_READ : ACCESS_NONE;
}

enum access_level rights_least(rights r, enum functionality f)
{
    unsigned levels = levels_of(r, f);

    return levels & 1 ? ACCESS_READ : levels & 2 ? ACCESS_USE : levels & 4 ? ACCESS_WRITE : ACCESS_NONE;
}

rights rights_named(const char *permission)
{
    for (size_t i = 0; i < FUNCTIONALITY_COUNT * 3; i++)
        if (strcmp(names[i], permission) == 0)
            return UINT64_C(1) << i;
    must(!"a permission of the table");
    return 0;
}

size_t rights_names(rights r, const char *out[FUNCTIONALITY_COUNT * 3])
{
    size_t n = 0;

    for (size_t i = 0; i < FUNCTIONALITY_COUNT * 3; i++)
        if (r >> i & 1)
            out[n++] = names[i];
    return n;
}
