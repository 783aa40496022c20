/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - makes the cell as files say it: plans, then tenants. Applying the same files again changes nothing. All
 * files are read and checked before the first change; each plan and tenant is then one transaction. */
#ifndef SEKISHO_APPLY_H
#define SEKISHO_APPLY_H

#include "provision/tenant.h"

struct applied {
    enum file_kind kind;
    const char *path;
    struct tenant_change change; /* of a plan: action and id only */
};

/* paths: files or folders. On failure *ret_n of *ret are done; why says which file failed and how. */
enum rc apply_paths(struct owner *o, struct arena *a, const char *const *paths, size_t n_paths, bool dry,
                    struct applied **ret, size_t *ret_n) MUST_CHECK;

#endif
