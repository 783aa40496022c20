/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - plan and tenant files, read and checked. tenants/schema/{plan,tenant}.json say the same as JSON Schemas, for
 * editors and people; a test holds both to one corpus. An error is one sentence: file, path within it, what is allowed.
 */
#ifndef SEKISHO_PROVISION_FILE_H
#define SEKISHO_PROVISION_FILE_H

#include "common/json.h"
#include "common/rc.h"

enum file_kind { FILE_PLAN, FILE_TENANT };

struct plan_file {
    struct slice id;
    int seats_min;
    int seats_max; /* 0: no greatest */
    int min_interval, api_per_minute;
    bool multi_user;
    struct slice body; /* the whole as JSON text, for control.plan */
};

struct account_file {
    struct slice name, display_name, language;
};
struct token_file {
    struct slice name, group; /* group p == NULL: Lost & found */
    int valid_days;           /* 0: for ever */
    int max_uses;             /* 0: any number */
};
struct tenant_file {
    struct slice id, name, plan, time_zone, language;
    int seats;
    struct slice *hosts;
    size_t n_hosts;
    struct slice *groups;
    size_t n_groups;
    struct account_file *accounts;
    size_t n_accounts;
    struct token_file *tokens;
    size_t n_tokens;
};

struct provision_file {
    enum file_kind kind;
    const char *path;
    union {
        struct plan_file plan;
        struct tenant_file tenant;
    } u;
};

/* path is for the error only. RC_INVALID: why says it. Memory of the arena. */
enum rc file_parse(struct arena *a, const char *path, struct slice text, struct provision_file *ret, char *ret_why,
                   size_t why_size) MUST_CHECK;
/* A file, or every *.json below a folder but folders called schema; plans come first, then tenants, each by path. */
enum rc file_collect(struct arena *a, const char *path, struct provision_file **ret, size_t *ret_n, char *ret_why,
                     size_t why_size) MUST_CHECK;

/* "Plan lite allows 6 to 249 seats; 250 were asked for." or, when it fits, true. */
bool plan_seats_fit(const struct plan_file *p, int64_t seats, char *ret_why, size_t why_size);
bool tenant_id_fits(struct slice id);
#define TENANT_ID_FORM "3 to 40 lower-case letters, digits and hyphens, a letter first, no hyphen last"

#endif
