/* SPDX-License-Identifier: Apache-2.0 */
/* permission_set.c - rights on groups, to be given to users. On blocking workers inside the call's transaction; what a
 * change may give is decided by domain/access.h. */
#include "domain/access.h"
#include "handler/api.gen.h"
#include "push/live.h"
#include "store/group.h"
#include <stdio.h>

/* ---- out */

static void rights_out(struct call *c, rights allow, rights deny, struct api_permission_set *ret)
{
    ret->rights = ARENA_ARRAY(c->arena, struct api_right, FUNCTIONALITY_COUNT);
    ret->n_rights = FUNCTIONALITY_COUNT;
    for (unsigned f = 0; f < FUNCTIONALITY_COUNT; f++)
        ret->rights[f] = (struct api_right){.functionality = (enum api_functionality)f,
                                            .allow = (enum api_access)rights_most(allow, (enum functionality)f),
                                            .deny = (enum api_access)rights_least(deny, (enum functionality)f)};
}

/* The contract's words stand in the order of call/permission.h (a unit test looks), so a value is an index on both
 * sides. */
_Static_assert((int)API_FUNCTIONALITY_AUDIT + 1 == (int)FUNCTIONALITY_COUNT, "as many functionalities");
_Static_assert((int)API_ACCESS_NONE == (int)ACCESS_NONE && (int)API_ACCESS_WRITE == (int)ACCESS_WRITE,
               "the same levels");

static void map_built_in(struct call *c, const struct built_in_set *s, int64_t users, struct api_permission_set *ret)
{
    *ret = (struct api_permission_set){.id = s->id,
                                       .name = slice_of(s->name),
                                       .description = SLICE(""),
                                       .built_in = true,
                                       .has_on_home_group = true,
                                       .on_home_group = s->on_home_group,
                                       .users = users};
    rights_out(c, s->rights, 0, ret);
}

static void map_set(struct call *c, const struct permission_set_row *s, bool editable, struct api_permission_set *ret)
{
    *ret = (struct api_permission_set){.id = s->id,
                                       .name = s->name,
                                       .description = s->description,
                                       .users = s->users,
                                       .has_revision = true,
                                       .revision = s->revision,
                                       .changed_at = s->changed_at,
                                       .editable = editable};
    ret->groups = ARENA_ARRAY(c->arena, struct api_named, s->n_groups + 1);
    ret->n_groups = s->n_groups;
    for (size_t i = 0; i < s->n_groups; i++)
        ret->groups[i] = (struct api_named){.id = s->groups[i], .name = s->group_names[i]};
    rights_out(c, s->allow, s->deny, ret);
}

/* One has to be able to give the set, and must not have it oneself. */
static enum rc editable(struct call *c, const struct permission_set_row *sets, size_t n, bool *ret)
{
    struct access_change x;
    struct access_account *me;
    size_t n_me;
    memset(ret, 0, n * sizeof *ret);
    if (!principal_may(c->principal, "permission_sets.write"))
        return RC_OK;
    enum rc rc = access_change_read(c, c->tx, &x);
    if (rc == RC_OK)
        rc = access_accounts(c->tx, c->arena, (struct uuid){{0}}, principal_subject(c->principal), &me, &n_me);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        ret[i] = access_may_edit(&x, &me[0], &sets[i]);
    return rc;
}

enum rc api_permission_set_list(struct call *c, struct api_permission_set_page *ret)
{
    struct permission_set_row *rows;
    size_t n;
    enum rc rc = permission_set_page(c->tx, c->arena, &rows, &n);
    if (rc != RC_OK)
        return rc;
    bool *may = ARENA_ARRAY(c->arena, bool, n + 1);
    rc = editable(c, rows, n, may);
    ret->items = ARENA_ARRAY(c->arena, struct api_permission_set, n + built_in_sets_count);
    for (size_t i = 0; rc == RC_OK && i < built_in_sets_count; i++) {
        int64_t users;
        rc = permission_set_users(c->tx, c->arena, built_in_sets[i].id, &users);
        if (rc == RC_OK)
            map_built_in(c, &built_in_sets[i], users, &ret->items[ret->n_items++]);
    }
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        map_set(c, &rows[i], may[i], &ret->items[ret->n_items++]);
    return rc;
}

static enum rc show(struct call *c, struct uuid id, struct api_permission_set *ret)
{
    const struct built_in_set *b = built_in_set_find(id);
    struct permission_set_row row;
    int64_t users;
    bool may;
    enum rc rc;
    if (b) {
        rc = permission_set_users(c->tx, c->arena, id, &users);
        if (rc == RC_OK)
            map_built_in(c, b, users, ret);
        return rc;
    }
    rc = permission_set_find(c->tx, c->arena, id, &row);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = editable(c, &row, 1, &may);
    if (rc == RC_OK)
        map_set(c, &row, may, ret);
    return rc;
}

enum rc api_permission_set_show(struct call *c, const struct api_permission_set_show_request *req,
                                struct api_permission_set *ret)
{
    return show(c, req->set_id, ret);
}

/* ---- in */

static void hint(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_users);
}

static enum rc rights_in(struct call *c, const struct api_permission_set_write *b, struct permission_set_row *ret)
{
    bool seen[FUNCTIONALITY_COUNT] = {false};
    for (size_t i = 0; i < b->n_rights; i++) {
        const struct api_right *r = &b->rights[i];
        if (seen[r->functionality]) {
            char field[48];
            snprintf(field, sizeof field, "rights[%zu].functionality", i);
            return fault_field(c, PROBLEM_field_value, field, "each functionality once");
        }
        seen[r->functionality] = true;
        ret->allow |= rights_allow((enum functionality)r->functionality, (enum access_level)r->allow);
        ret->deny |= rights_deny((enum functionality)r->functionality, (enum access_level)r->deny);
    }
    return RC_OK;
}

static enum rc groups_in(struct call *c, const struct api_permission_set_write *b)
{
    for (size_t i = 0; i < b->n_group_ids; i++) {
        struct group_row group;
        char field[40];
        snprintf(field, sizeof field, "group_ids[%zu]", i);
        enum rc rc = group_find(c->tx, c->arena, b->group_ids[i], &group);
        if (rc == RC_NOT_FOUND)
            return fault_field(c, PROBLEM_group_unknown, field, "");
        for (size_t k = 0; k < i; k++)
            if (uuid_eq(b->group_ids[i], b->group_ids[k]))
                return fault_field(c, PROBLEM_field_value, field, "each group once");
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc form(struct call *c, const struct api_permission_set_write *b, struct uuid id,
                    struct permission_set_row *ret)
{
    *ret = (struct permission_set_row){.id = id,
                                       .name = b->name,
                                       .description = b->description.p ? b->description : SLICE(""),
                                       .groups = b->group_ids,
                                       .n_groups = b->n_group_ids};
    enum rc rc = rights_in(c, b, ret);
    if (rc == RC_OK)
        rc = groups_in(c, b);
    c->audit = (struct audit_note){.object_type = "permission_set", .object_id = id, .object_name = b->name};
    call_after_commit(c, hint, c);
    return rc;
}

static enum rc stored(struct call *c, enum rc rc)
{
    if (rc == RC_CONFLICT)
        (void)fault_field(c, PROBLEM_name_taken, "name", "");
    return rc;
}

static struct slice group_names(struct call *c, const struct api_permission_set *s)
{
    struct strbuf out;
    strbuf_init_arena(&out, c->arena, 8192);
    for (size_t i = 0; i < s->n_groups; i++) {
        strbuf_add_str(&out, i ? ", " : "");
        strbuf_add(&out, s->groups[i].name);
    }
    return strbuf_slice(&out);
}

/* "write", or "write, not use" where a level is denied. */
static struct slice right_text(struct call *c, const struct api_right *r)
{
    const char *allow = api_access_text(r->allow), *deny = api_access_text(r->deny);
    return r->deny == API_ACCESS_NONE ? slice_of(allow) : slice_of(arena_printf(c->arena, "%s, not %s", allow, deny));
}

/* What differs; before NULL: all of it is new. */
static void say_changes(struct call *c, const struct api_permission_set *before, const struct api_permission_set *after)
{
    if (!before || !slice_eq(before->name, after->name))
        audit_change(c, "name", before ? before->name : SLICE_NONE, after->name);
    if (!before || !slice_eq(before->description, after->description))
        audit_change(c, "description", before ? before->description : SLICE_NONE, after->description);
    struct slice now = group_names(c, after), was = before ? group_names(c, before) : SLICE_NONE;
    if (!before || !slice_eq(was, now))
        audit_change(c, "groups", was, now);
    for (size_t i = 0; i < after->n_rights; i++) {
        struct slice then = before ? right_text(c, &before->rights[i]) : SLICE("none");
        now = right_text(c, &after->rights[i]);
        if (!slice_eq(then, now))
            audit_change(c, api_functionality_text(after->rights[i].functionality), then, now);
    }
}

enum rc api_permission_set_create(struct call *c, const struct api_permission_set_create_request *req,
                                  struct api_permission_set *ret)
{
    struct permission_set_row set;
    struct access_change x;
    int64_t n;
    enum rc rc = access_change_begin(c, c->tx, &x);
    if (rc == RC_OK)
        rc = permission_set_count(c->tx, c->arena, &n);
    if (rc == RC_OK && n >= PERMISSION_SETS_MAX) {
        c->fault.has_limit = true;
        c->fault.limit = PERMISSION_SETS_MAX;
        return fault(c, RC_CONFLICT, PROBLEM_too_many);
    }
    if (rc == RC_OK)
        rc = form(c, &req->body, uuid_new(), &set);
    if (rc == RC_OK)
        rc = access_check_set(&x, &set, NULL);
    if (rc == RC_OK)
        rc = stored(c, permission_set_insert(c->tx, c->arena, &set, clock_now()));
    if (rc == RC_OK)
        rc = show(c, set.id, ret);
    if (rc == RC_OK)
        say_changes(c, NULL, ret);
    return rc;
}

static enum rc open_set(struct call *c, struct uuid id, struct access_change *x, struct permission_set_row *ret)
{
    if (built_in_set_find(id))
        return fault(c, RC_DENIED, PROBLEM_built_in);
    enum rc rc = access_change_begin(c, c->tx, x);
    if (rc == RC_OK)
        rc = permission_set_lock(c->tx, c->arena, id, ret);
    return rc == RC_NOT_FOUND ? fault(c, rc, PROBLEM_not_found) : rc;
}

enum rc api_permission_set_update(struct call *c, const struct api_permission_set_update_request *req,
                                  struct api_permission_set *ret)
{
    struct permission_set_row before, set;
    struct api_permission_set was;
    struct access_change x;
    if (!req->body.has_revision)
        return fault_field(c, PROBLEM_field_missing, "revision", "");
    enum rc rc = open_set(c, req->set_id, &x, &before);
    if (rc == RC_OK && before.revision != req->body.revision)
        return fault(c, RC_CONFLICT, PROBLEM_conflict);
    if (rc == RC_OK)
        rc = show(c, req->set_id, &was);
    if (rc == RC_OK)
        rc = form(c, &req->body, req->set_id, &set);
    if (rc == RC_OK)
        rc = access_check_set(&x, &set, &before);
    if (rc == RC_OK)
        rc = stored(c, permission_set_update(c->tx, c->arena, &set, clock_now()));
    if (rc == RC_OK)
        rc = show(c, set.id, ret);
    if (rc == RC_OK)
        say_changes(c, &was, ret);
    return rc;
}

enum rc api_permission_set_remove(struct call *c, const struct api_permission_set_remove_request *req)
{
    struct permission_set_row before;
    struct access_change x;
    int64_t users = 0;
    enum rc rc = open_set(c, req->set_id, &x, &before);
    if (rc == RC_OK)
        rc = permission_set_users(c->tx, c->arena, before.id, &users);
    if (rc != RC_OK)
        return rc;
    if (users) {
        c->fault.has_used = true;
        c->fault.used = (uint64_t)users;
        return fault(c, RC_CONFLICT, PROBLEM_set_in_use);
    }
    c->audit = (struct audit_note){.object_type = "permission_set", .object_id = before.id, .object_name = before.name};
    call_after_commit(c, hint, c);
    return permission_set_remove(c->tx, c->arena, before.id);
}
