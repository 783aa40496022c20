/* SPDX-License-Identifier: Apache-2.0 */
/* rc.c - names of results, for logs. */
#include "common/rc.h"

static const char *const names[] = {
    [RC_OK] = "ok",
    [RC_NOT_FOUND] = "not_found",
    [RC_CONFLICT] = "conflict",
    [RC_DENIED] = "denied",
    [RC_OVER_QUOTA] = "over_quota",
    [RC_INVALID] = "invalid",
    [RC_UNAVAILABLE] = "unavailable",
    [RC_UNCERTAIN] = "uncertain",
    [RC_INTERNAL] = "internal",
};

const char *rc_name(enum rc rc)
{
    unsigned i = (unsigned)rc;

    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "unknown";
}
