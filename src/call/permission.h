/* SPDX-License-Identifier: Apache-2.0 */
/* permission.h - functionalities and access levels: read < use < write. Names are those of x-permission in the
 * contract; a test holds both to each other. Pure functions. */
#ifndef SEKISHO_PERMISSION_H
#define SEKISHO_PERMISSION_H

#include "common/slice.h"

/* One row per functionality. The order is kept in the database: new ones go to the end, none is taken away. */
#define PERMISSION_FUNCTIONALITIES(X) \
    X(devices) X(detections) X(tasks) X(enrolment) X(users) X(permission_sets) X(audit)

enum functionality {
#define X(name) FUNCTIONALITY_##name,
    PERMISSION_FUNCTIONALITIES(X)
#undef X
        FUNCTIONALITY_COUNT
};
enum access_level { ACCESS_NONE = 0, ACCESS_READ = 1, ACCESS_USE = 2, ACCESS_WRITE = 3 };

/* A set of rights: a bit for each functionality and level, so that "and", "or" and "and not" mean what they say. Levels
 * are closed downwards: who may write may use and read. */
typedef uint64_t rights;
#define RIGHTS_ALL ((UINT64_C(1) << (3 * FUNCTIONALITY_COUNT)) - 1)
_Static_assert(FUNCTIONALITY_COUNT * 3 <= 63, "rights are a bigint in the database");

rights rights_allow(enum functionality f, enum access_level most); /* all levels up to most */
rights rights_deny(enum functionality f, enum access_level least); /* all levels from least on; ACCESS_NONE: none */
rights rights_level(enum access_level most);                       /* rights_allow of every functionality */
enum access_level rights_most(rights r, enum functionality f);     /* of allowed rights */
enum access_level rights_least(rights r, enum functionality f);    /* of denied ones; ACCESS_NONE: none is denied */
rights rights_named(const char *permission); /* "devices.write"; unknown names abort (our mistake) */

/* What a person may do, without knowing groups. */
struct access {
    rights may;        /* on at least one group */
    rights everywhere; /* on all groups */
    rights root, home; /* built-in permission sets: on All, on the home group, and below */
};

/* Writes every "<functionality>.<level>" of r; returns how many. */
size_t rights_names(rights r, const char *out[FUNCTIONALITY_COUNT * 3]);

#endif
