/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - handlers that are being written. */
#include "call/call.h"
#include "handler/api.gen.h"
#define P2(n, req)                                                       \
    __attribute__((weak)) enum rc n(struct call *c, const struct req *r) \
    {                                                                    \
        (void)r;                                                         \
        return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);            \
    }
#define P3(n, req, ret)                                                                 \
    __attribute__((weak)) enum rc n(struct call *c, const struct req *r, struct ret *x) \
    {                                                                                   \
        (void)r;                                                                        \
        (void)x;                                                                        \
        return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);                           \
    }
#define P1(n, ret)                                                 \
    __attribute__((weak)) enum rc n(struct call *c, struct ret *x) \
    {                                                              \
        (void)x;                                                   \
        return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);      \
    }
P3(api_two_factor_begin, api_two_factor_begin_request, api_two_factor_secret)
P2(api_two_factor_end, api_two_factor_end_request)
P3(api_two_factor_confirm, api_two_factor_confirm_request, api_recovery_codes)
