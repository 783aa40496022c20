/* SPDX-License-Identifier: Apache-2.0 */
/* user.c - people who sign in, as those see them who manage them. What a change may give is decided by domain/access.h.
 * On blocking workers inside the call's transaction; what hashes passwords on slow ones, in a transaction of its own.
 */
#include "domain/user.h"
#include "domain/access.h"
#include "domain/cursor.h"
#include "handler/api.gen.h"
#include "identity/password.h"
#include "identity/sessions.h"
#include "push/live.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/session.h"
#include "store/user.h"

/* ---- out */

static struct api_named *home_of(struct call *c, const struct user_row *u)
{
    if (uuid_is_nil(u->home))
        return NULL;
    struct api_named *n = ARENA_NEW(c->arena, struct api_named);
    *n = (struct api_named){.id = u->home, .name = u->home_name, .has_built_in = true, .built_in = u->home_built_in};
    return n;
}

static void sets_of(struct call *c, const struct user_row *u, struct api_user *ret)
{
    ret->sets = ARENA_ARRAY(c->arena, struct api_named, u->n_set_ids + 1);
    for (size_t i = 0; i < u->n_set_ids; i++) {
        const struct built_in_set *b = built_in_set_find(u->set_ids[i]);
        if (b)
            ret->sets[ret->n_sets++] =
                (struct api_named){.id = b->id, .name = slice_of(b->name), .has_built_in = true, .built_in = true};
    }
    for (size_t i = 0; i < u->n_sets; i++)
        ret->sets[ret->n_sets++] =
            (struct api_named){.id = u->sets[i].id, .name = u->sets[i].name, .has_built_in = true, .built_in = false};
}

static void map_user(struct call *c, const struct user_row *u, bool editable, struct api_user *ret)
{
    *ret = (struct api_user){.id = u->id,
                             .name = u->name,
                             .display_name = u->display_name,
                             .email = u->email,
                             .home_group = home_of(c, u),
                             .enabled = !u->disabled,
                             .must_change_password = u->must_change,
                             .locked_until = u->locked_until > clock_now() ? u->locked_until : 0,
                             .two_factor = u->factor,
                             .two_factor_required = u->factor_required,
                             .last_sign_in_at = u->last_sign_in_at,
                             .created_at = u->created_at,
                             .revision = u->revision,
                             .own = uuid_eq(u->id, principal_subject(c->principal)),
                             .editable = editable};
    if (!api_language_parse(u->language, &ret->language))
        ret->language = API_LANGUAGE_JA;
    sets_of(c, u, ret);
}

/* Whether the caller may change each of the users: who has the right at all, and all the rights that they have. */
static enum rc editable(struct call *c, const struct user_row *users, size_t n, bool *ret)
{
    struct access_change x;
    struct access_account *all;
    size_t n_all;
    rights more;
    memset(ret, 0, n * sizeof *ret);
    if (!principal_may(c->principal, "users.write"))
        return RC_OK;
    enum rc rc = access_change_read(c, c->tx, &x);
    if (rc == RC_OK)
        rc = access_accounts(c->tx, c->arena, (struct uuid){{0}}, n == 1 ? users[0].id : (struct uuid){{0}}, &all,
                             &n_all);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        for (size_t k = 0; k < n_all; k++)
            if (uuid_eq(all[k].id, users[i].id))
                ret[i] = access_within(access_spread(c->arena, x.groups, x.n_groups, &all[k]), NULL, x.mine, x.n_groups,
                                       &more);
    return rc;
}

static enum rc show(struct call *c, struct uuid id, struct api_user *ret)
{
    struct user_row row;
    bool may;
    enum rc rc = user_find(c->tx, c->arena, id, &row);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = editable(c, &row, 1, &may);
    if (rc == RC_OK)
        map_user(c, &row, may, ret);
    return rc;
}

enum rc api_user_list(struct call *c, const struct api_user_list_request *req, struct api_user_page *ret)
{
    struct user_filter filter = {
        .search = req->search, .set = req->set, .enabled = req->has_enabled ? req->enabled : -1};
    struct cursor after;
    struct user_row *rows;
    size_t n;
    enum rc rc = cursor_decode(c, req->cursor, CURSOR_TEXT, &after);
    if (rc == RC_OK)
        rc = user_page(c->tx, c->arena, &filter, after.key, after.id, (int)req->limit + 1, &rows, &n);
    if (rc == RC_OK)
        rc = user_count(c->tx, c->arena, &filter, &ret->total);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = cursor_encode(c->arena, cursor_fingerprint(c), rows[n - 1].sort_key, rows[n - 1].id);
    }
    bool *may = ARENA_ARRAY(c->arena, bool, n + 1);
    rc = editable(c, rows, n, may);
    ret->items = ARENA_ARRAY(c->arena, struct api_user, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_user(c, &rows[i], may[i], &ret->items[i]);
    return rc;
}

enum rc api_user_show(struct call *c, const struct api_user_show_request *req, struct api_user *ret)
{
    return show(c, req->user_id, ret);
}

/* ---- in */

static void hint_users(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_users);
}

struct ended {
    struct uuid *ids;
    size_t n;
};

static void sessions_ended(void *arg)
{
    const struct ended *e = arg;
    for (size_t i = 0; i < e->n; i++)
        sessions_end(e->ids[i]);
}

static enum rc end_sessions(struct call *c, struct uuid user, size_t *ret_n)
{
    struct ended *e = ARENA_NEW(c->arena, struct ended);
    enum rc rc = session_end_others(c->tx, c->arena, user, (struct uuid){{0}}, clock_now(), &e->ids, &e->n);
    if (rc == RC_OK)
        call_after_commit(c, sessions_ended, e);
    if (rc == RC_OK && ret_n)
        *ret_n = e->n;
    return rc;
}

/* The home group of somebody: one that the caller reaches; All only for those who reach everything. */
static enum rc home_check(struct call *c, struct uuid home)
{
    struct group_row group;
    enum rc rc = RC_OK;
    if (!uuid_is_nil(home))
        rc = group_find(c->tx, c->arena, home, &group);
    else if (!(principal_access(c->principal)->everywhere & rights_named("users.write")))
        rc = RC_NOT_FOUND;
    return rc == RC_NOT_FOUND ? fault_field(c, PROBLEM_group_unknown, "home_group_id", "") : rc;
}

static enum rc email_check(struct call *c, struct slice email)
{
    return user_email_fits(email) ? RC_OK : fault_field(c, PROBLEM_field_format, "email", USER_EMAIL_FORM);
}

static enum rc sets_once(struct call *c, const struct uuid *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (uuid_eq(ids[i], ids[k]))
                return fault_field(c, PROBLEM_field_value, "set_ids", "each permission set once");
    return RC_OK;
}

/* Finds the user, whom the caller may change, under the lock of all changes of rights. */
static enum rc open_user(struct call *c, struct uuid id, struct access_change *x, struct user_row *ret,
                         rights **ret_before)
{
    struct slice name;
    int64_t revision;
    enum rc rc = access_change_begin(c, c->tx, x);
    if (rc == RC_OK)
        rc = user_lock(c->tx, c->arena, id, &name, &revision);
    if (rc == RC_OK)
        rc = user_find(c->tx, c->arena, id, ret);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = access_check_account(x, id, ret_before);
    if (rc == RC_OK) {
        c->audit = (struct audit_note){.object_type = "user", .object_id = id, .object_name = name};
        call_after_commit(c, hint_users, c);
    }
    return rc;
}

static bool own(const struct call *c, struct uuid id)
{
    return uuid_eq(id, principal_subject(c->principal));
}

static bool same_sets(const struct uuid *a, size_t n_a, const struct uuid *b, size_t n_b)
{
    size_t found = 0;
    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++)
            found += uuid_eq(a[i], b[k]);
    return n_a == n_b && found == n_a;
}

static enum rc own_change(struct call *c, const struct api_user_update *b, const struct user_row *u)
{
    bool same = b->enabled && uuid_eq(b->home_group_id, u->home) && b->two_factor_required == u->factor_required &&
                same_sets(b->set_ids, b->n_set_ids, u->set_ids, u->n_set_ids);
    return same ? RC_OK : fault(c, RC_DENIED, PROBLEM_own_rights);
}

static struct slice set_names(struct call *c, const struct api_user *u)
{
    struct strbuf out;
    strbuf_init_arena(&out, c->arena, 4096);
    for (size_t i = 0; i < u->n_sets; i++) {
        strbuf_add_str(&out, i ? ", " : "");
        strbuf_add(&out, u->sets[i].name);
    }
    return strbuf_slice(&out);
}

static struct slice yes(bool b)
{
    return b ? SLICE("true") : SLICE("false");
}

static struct slice home_name(const struct api_user *u)
{
    return u->home_group ? u->home_group->name : SLICE("group.all");
}

/* What differs; before NULL: all of it is new. */
static void say_changes(struct call *c, const struct api_user *before, const struct api_user *after)
{
    const struct {
        const char *field;
        struct slice before, after;
    } all[] = {
        {"display_name", before ? before->display_name : SLICE_NONE, after->display_name},
        {"email", before ? before->email : SLICE_NONE, after->email},
        {"language", before ? slice_of(api_language_text(before->language)) : SLICE_NONE,
         slice_of(api_language_text(after->language))},
        {"home_group", before ? home_name(before) : SLICE_NONE, home_name(after)},
        {"sets", before ? set_names(c, before) : SLICE_NONE, set_names(c, after)},
        {"enabled", before ? yes(before->enabled) : SLICE_NONE, yes(after->enabled)},
        {"two_factor_required", before ? yes(before->two_factor_required) : SLICE_NONE,
         yes(after->two_factor_required)},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!before || !slice_eq(all[i].before, all[i].after))
            audit_change(c, all[i].field, all[i].before, all[i].after);
}

enum rc api_user_update(struct call *c, const struct api_user_update_request *req, struct api_user *ret)
{
    const struct api_user_update *b = &req->body;
    struct access_change x;
    struct api_user was;
    struct user_row u;
    rights *before;
    enum rc rc = open_user(c, req->user_id, &x, &u, &before);
    if (rc != RC_OK)
        return rc;
    map_user(c, &u, true, &was);
    if (u.revision != b->revision)
        return fault(c, RC_CONFLICT, PROBLEM_conflict);
    rc = own(c, u.id) ? own_change(c, b, &u) : RC_OK;
    if (rc == RC_OK)
        rc = email_check(c, b->email);
    if (rc == RC_OK && !uuid_eq(b->home_group_id, u.home))
        rc = home_check(c, b->home_group_id);
    if (rc == RC_OK)
        rc = sets_once(c, b->set_ids, b->n_set_ids);
    if (rc == RC_OK)
        rc = access_check_sets(&x, b->set_ids, b->n_set_ids, b->home_group_id, before);
    if (rc != RC_OK)
        return rc;
    struct user_row then = {.id = u.id,
                            .display_name = b->display_name,
                            .email = b->email,
                            .language = slice_of(api_language_text(b->language)),
                            .home = b->home_group_id,
                            .set_ids = b->set_ids,
                            .n_set_ids = b->n_set_ids,
                            .disabled = !b->enabled,
                            .factor_required = b->two_factor_required};
    rc = user_update(c->tx, c->arena, &then, clock_now());
    if (rc == RC_OK && !b->enabled)
        rc = end_sessions(c, u.id, NULL);
    if (rc == RC_OK)
        rc = show(c, u.id, ret);
    if (rc == RC_OK)
        say_changes(c, &was, ret);
    return rc;
}

enum rc api_user_remove(struct call *c, const struct api_user_remove_request *req)
{
    struct access_change x;
    struct user_row u;
    rights *before;
    enum rc rc = open_user(c, req->user_id, &x, &u, &before);
    if (rc == RC_OK && own(c, u.id))
        return fault(c, RC_DENIED, PROBLEM_own_rights);
    c->audit.group = u.home; /* the row will be gone when the record is written */
    if (rc == RC_OK)
        rc = end_sessions(c, u.id, NULL);
    return rc == RC_OK ? user_remove(c->tx, c->arena, u.id) : rc;
}

enum rc api_user_two_factor_reset(struct call *c, const struct api_user_two_factor_reset_request *req)
{
    struct access_change x;
    struct user_row u;
    rights *before;
    enum rc rc = open_user(c, req->user_id, &x, &u, &before);
    if (rc == RC_OK && own(c, u.id)) /* one's own is given up with the password */
        return fault(c, RC_DENIED, PROBLEM_own_rights);
    return rc == RC_OK ? user_two_factor_clear(c->tx, c->arena, u.id) : rc;
}

enum rc api_user_session_list(struct call *c, const struct api_user_session_list_request *req,
                              struct api_session_page *ret)
{
    struct user_row u;
    struct session_row *rows;
    enum rc rc = user_find(c->tx, c->arena, req->user_id, &u);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = session_page(c->tx, c->arena, u.id, clock_now(), &rows, &ret->n_items);
    if (rc != RC_OK)
        return rc;
    ret->items = ARENA_ARRAY(c->arena, struct api_session, ret->n_items + 1);
    for (size_t i = 0; i < ret->n_items; i++)
        ret->items[i] = (struct api_session){.id = rows[i].id,
                                             .created_at = rows[i].created_at,
                                             .last_used_at = rows[i].last_used_at,
                                             .address = rows[i].address,
                                             .user_agent = rows[i].user_agent,
                                             .current = uuid_eq(rows[i].id, principal_session(c->principal))};
    return RC_OK;
}

enum rc api_user_session_end(struct call *c, const struct api_user_session_end_request *req, struct api_changed *ret)
{
    struct access_change x;
    struct user_row u;
    rights *before;
    size_t n = 0;
    enum rc rc = open_user(c, req->user_id, &x, &u, &before);
    if (rc == RC_OK)
        rc = end_sessions(c, u.id, &n);
    ret->changed = (int64_t)n;
    return rc;
}

/* ---- with passwords: the hash first, then one transaction */

static enum rc in_transaction(struct call *c, enum rc (*body)(struct call *c, void *arg), void *arg)
{
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &c->tx);
    if (rc != RC_OK)
        return rc;
    rc = access_enter(c, c->tx, c->route->permission);
    if (rc == RC_OK)
        rc = body(c, arg);
    if (rc == RC_OK)
        rc = audit_write(c);
    if (rc == RC_OK)
        rc = tx_commit(&c->tx);
    else
        tx_abort(&c->tx);
    c->tx = NULL;
    return rc;
}

struct first_password {
    const struct api_user_create *form; /* NULL: of a user who is there */
    struct uuid user;
    struct slice password, hash;
    struct api_user *shown;
};

static enum rc draw(struct call *c, struct first_password *p)
{
    p->password = password_new(c->arena);
    return password_hash_random(c->arena, p->password, &p->hash);
}

static enum rc create(struct call *c, void *arg)
{
    struct first_password *p = arg;
    const struct api_user_create *b = p->form;
    struct access_change x;
    struct account_new row = {.id = uuid_new(),
                              .home = b->home_group_id,
                              .name = b->name,
                              .display_name = b->display_name,
                              .password_hash = p->hash,
                              .language = slice_of(api_language_text(b->language)),
                              .email = b->email,
                              .must_change = true,
                              .factor_required = b->two_factor_required,
                              .set_ids = b->set_ids,
                              .n_set_ids = b->n_set_ids};
    enum rc rc = access_change_begin(c, c->tx, &x);
    if (rc == RC_OK)
        rc = home_check(c, b->home_group_id);
    if (rc == RC_OK)
        rc = access_check_sets(&x, b->set_ids, b->n_set_ids, b->home_group_id, NULL);
    if (rc != RC_OK)
        return rc;
    rc = account_insert(c->tx, c->arena, &row, clock_now());
    if (rc == RC_CONFLICT)
        (void)fault_field(c, PROBLEM_name_taken, "name", "");
    if (rc != RC_OK)
        return rc;
    c->audit = (struct audit_note){.object_type = "user", .object_id = row.id, .object_name = row.name};
    call_after_commit(c, hint_users, c);
    rc = show(c, row.id, p->shown);
    if (rc == RC_OK)
        say_changes(c, NULL, p->shown);
    return rc;
}

enum rc api_user_create(struct call *c, const struct api_user_create_request *req, struct api_user_password *ret)
{
    struct first_password p = {.form = &req->body, .shown = &ret->user};
    if (!user_name_fits(req->body.name))
        return fault_field(c, PROBLEM_field_format, "name", USER_NAME_FORM);
    enum rc rc = email_check(c, req->body.email);
    if (rc == RC_OK)
        rc = sets_once(c, req->body.set_ids, req->body.n_set_ids);
    if (rc == RC_OK)
        rc = draw(c, &p);
    if (rc == RC_OK)
        rc = in_transaction(c, create, &p);
    ret->password = p.password;
    return rc;
}

static enum rc reset(struct call *c, void *arg)
{
    struct first_password *p = arg;
    struct access_change x;
    struct user_row u;
    rights *before;
    enum rc rc = open_user(c, p->user, &x, &u, &before);
    if (rc == RC_OK && own(c, u.id)) /* one's own is changed with the old one */
        return fault(c, RC_DENIED, PROBLEM_own_rights);
    if (rc == RC_OK)
        rc = account_set_password(c->tx, c->arena, u.id, p->hash, true);
    if (rc == RC_OK)
        rc = end_sessions(c, u.id, NULL);
    return rc == RC_OK ? show(c, u.id, p->shown) : rc;
}

enum rc api_user_password_reset(struct call *c, const struct api_user_password_reset_request *req,
                                struct api_user_password *ret)
{
    struct first_password p = {.user = req->user_id, .shown = &ret->user};
    enum rc rc = draw(c, &p);
    if (rc == RC_OK)
        rc = in_transaction(c, reset, &p);
    ret->password = p.password;
    return rc;
}
