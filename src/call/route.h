/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - one row of the generated route table: everything that is decided by the address alone. Immutable. */
#ifndef SEKISHO_ROUTE_H
#define SEKISHO_ROUTE_H

#include "common/rc.h"
#include "common/slice.h"

struct call;

enum listener { LISTENER_CONSOLE, LISTENER_AGENT, LISTENER_OPS };

enum route_where {
    WHERE_LOOP,     /* the handler runs on the loop thread: no SQL, no blocking */
    WHERE_BLOCKING, /* on a blocking worker, inside one transaction */
    WHERE_SLOW,     /* on a slow worker, opens its own transactions */
    WHERE_BATCH     /* handler/agent_checkin.c sends it through the batch workers */
};

enum route_auth { AUTH_NONE, AUTH_REFRESH, AUTH_USER, AUTH_AGENT_ANY, AUTH_DEVICE };

enum quota_class {
    QUOTA_NONE,
    QUOTA_SIGN_IN, /* per address and account */
    QUOTA_REFRESH, /* per address */
    QUOTA_API,     /* per session and tenant */
    QUOTA_ENROL,   /* per address and tenant; seats are decided in the transaction */
    QUOTA_RENEW,
    QUOTA_CHECKIN, /* the floor of scheduled check-ins and the buckets beside it */
    QUOTA_WAKE,
    QUOTA_MODULE
};

#define ROUTE_ARGS 4

struct route {
    enum listener listener;
    const char *method;
    const char *pattern;   /* "/api/v1/devices/{device_id}" */
    const char *operation; /* "device_list"; also the metrics' label */
    enum route_where where;
    enum route_auth auth;
    const char *permission;  /* "devices.read" or NULL */
    const char *entitlement; /* "multi_user" or NULL: every plan has it */
    uint32_t entitled;       /* the same as a bit of struct tenant */
    enum quota_class quota;
    size_t body_limit; /* bytes, after inflating */
    const char *audit; /* "device.update" or NULL */
    bool stream;
    /* Decodes, runs the handler, encodes into c->answer. Fills c->fault unless RC_OK. */
    enum rc (*serve)(struct call *c);
};

extern const struct route routes[];
extern const size_t routes_count;

/* The row for method and path (path without query). args[] receive the values of {…}, still percent-encoded. NULL: no
 * such path, or *ret_allowed lists the methods that exist there, such as "GET, POST". No allocation. */
const struct route *route_find(enum listener l, struct slice method, struct slice path, struct slice args[ROUTE_ARGS],
                               const char **ret_allowed);

#endif
