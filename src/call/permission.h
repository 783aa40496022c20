/* SPDX-License-Identifier: Apache-2.0 */
/* permission.h - functionalities and access levels: read < use < write. Names are those of x-permission in the
 * contract. */
#ifndef SEKISHO_PERMISSION_H
#define SEKISHO_PERMISSION_H

#include "common/slice.h"

/* One row per functionality; a permission set is a bit mask of (functionality, level). */
#define PERMISSION_FUNCTIONALITIES(X) X(devices) X(detections) X(tasks) X(enrolment)

enum functionality {
#define X(name) FUNCTIONALITY_##name,
    PERMISSION_FUNCTIONALITIES(X)
#undef X
        FUNCTIONALITY_COUNT
};
enum access_level { ACCESS_READ = 1, ACCESS_USE = 2, ACCESS_WRITE = 3 };

#define PERMISSIONS_ALL UINT32_MAX

/* Two bits per functionality hold the level. */
uint32_t permission_bits(enum functionality f, enum access_level l);
bool permission_allows(uint32_t bits, const char *permission); /* "devices.write"; unknown names abort (our mistake) */
/* Writes every "<functionality>.<level>" that bits include; returns how many, at most FUNCTIONALITY_COUNT * 3. */
size_t permission_names(uint32_t bits, const char *out[FUNCTIONALITY_COUNT * 3]);

#endif
