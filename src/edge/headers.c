/* SPDX-License-Identifier: Apache-2.0 */
/* headers.c - the fields every answer carries. The content policy is strict: everything from our own origin, no
 * framing, no inline code. */
#include "edge/edge_private.h"

struct field {
    const char *name;
    struct slice value;
};

#define FIELD(name, value)           \
    {                                \
        name,                        \
        {                            \
            value, sizeof(value) - 1 \
        }                            \
    }

static const struct field console_fields[] = {
    FIELD("strict-transport-security", "max-age=31536000; includeSubDomains"),
    FIELD("content-security-policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    FIELD("x-content-type-options", "nosniff"),
    FIELD("referrer-policy", "no-referrer"),
    FIELD("permissions-policy",
          "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), display-capture=()"),
    FIELD("cross-origin-opener-policy", "same-origin"),
    FIELD("cross-origin-resource-policy", "same-origin"),
};
static const struct field agent_fields[] = {
    FIELD("x-content-type-options", "nosniff"),
};

void headers_add(h2o_req_t *req, const char *name, struct slice value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value.p, value.n);
}

void headers_common(h2o_req_t *req, enum listener listener)
{
    const struct field *fields = listener == LISTENER_CONSOLE ? console_fields : agent_fields;
    size_t n = listener == LISTENER_CONSOLE ? sizeof(console_fields) / sizeof(console_fields[0])
                                            : sizeof(agent_fields) / sizeof(agent_fields[0]);

    for (size_t i = 0; i < n; i++)
        headers_add(req, fields[i].name, fields[i].value);
}
