/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.h - the tenants of this cell as an immutable, reference-counted snapshot, and the stage that turns a principal
 * into a tenant's scope. A thread of its own loads the snapshot from control: it is told by NOTIFY and looks at
 * control.revision every second besides. While PostgreSQL is away the last snapshot serves on. */
#ifndef SEKISHO_TENANT_H
#define SEKISHO_TENANT_H

#include "call/passes.h"
#include "call/stage.h"

struct call;
struct db;
struct params;
struct tenants; /* one snapshot */

/* ---- the loader. start and on_change before other threads exist; stop at the end. */
void tenant_start(const struct params *p);
void tenant_stop(void);
bool tenant_ready(void);   /* a snapshot has been loaded */
void tenant_refresh(void); /* look now; any thread */
/* Called on the loader's thread with its connections after each change of control.revision (keys and plans count too),
 * and once after the first load. At most 8. */
void tenant_on_change(void (*fn)(struct db *db, int64_t revision, void *arg), void *arg);

/* ---- the snapshot. Any thread; never blocks. Each get needs its put; what it returns lives in between. */
struct tenants *tenants_get(void); /* empty before the first load, never NULL */
void tenants_put(struct tenants *t);
int64_t tenants_revision(const struct tenants *t);
size_t tenants_count(const struct tenants *t);
const struct tenant *tenants_at(const struct tenants *t, size_t i);  /* ascending numbers */
const struct tenant *tenants_by_no(const struct tenants *t, int no); /* NULL: none, or not active nor suspended */
const struct tenant *tenants_by_id(const struct tenants *t, struct slice id);
const struct tenant *tenants_by_host(const struct tenants *t, struct slice host); /* port and letter case ignored */

/* ---- scopes: memory of the arena, which keeps the snapshot until it is freed. NULL: no such tenant. */
const struct tenant_scope *tenant_scope_of(struct arena *a, const struct principal *p);
/* Where a verified enrolment token or a sign-in name names the tenant. */
const struct tenant_scope *tenant_scope_by_no(struct arena *a, int no);
const struct tenant_scope *tenant_scope_by_id(struct arena *a, struct slice id);

/* The stage: principal -> c->scope. Anonymous calls pass without one. People of a suspended tenant are refused with its
 * reason, their sign-out excepted; devices pass, and handlers tell them to slow down. */
enum stage_result tenant_stage(struct call *c);

#endif
