/* SPDX-License-Identifier: Apache-2.0 */
/* background.c - a table of chores with their periods. A chore that fails is tried again at its next turn; nothing is
 * lost by that but freshness. Each tenant is one transaction, so that one tenant's trouble is not another's. */
#include "worker/background.h"
#include "cache/cache.h"
#include "call/make_principal.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/memory.h"
#include "common/must.h"
#include "common/params.h"
#include "identity/identity.h"
#include "identity/statement.h"
#include "push/channel.h"
#include "push/presence.h"
#include "push/wake.h"
#include "quota/quota.h"
#include "store/audit.h"
#include "store/detection.h"
#include "store/device.h"
#include "store/enrolment.h"
#include "store/session.h"
#include "store/task.h"
#include "tenant/tenant.h"
#include "worker/refusals.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ARENA = 16 * 1024 * 1024,
    FLUSH_MAX = 5000,
    SWEEP_MAX = 5000,
    EXPIRE_ROWS = 2000,
    EXPIRE_ROUNDS = 10,
    SESSION_DAYS = 30,
    IDLE_REQUESTS = 50 /* in a turn of the memory */
};

#define SEAL_USEC      (INT64_C(86400) * USEC_PER_SEC) /* a tenant's audit is sealed so often */
#define SEAL_LOOK_USEC (INT64_C(3600) * USEC_PER_SEC)

static const struct params *params;
static struct db *db;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;
static bool stopping;

/* A transaction of our own as the tenant; RC_NOT_FOUND when the tenant is gone. */
static enum rc tenant_tx(struct arena *a, int tenant_no, struct tx **ret)
{
    const struct tenant_scope *scope = tenant_scope_of(a, principal_service(a, tenant_no));
    if (!scope)
        return RC_NOT_FOUND;
    return tx_begin(db, NULL, a, quota_permit_service(a, scope), ret);
}

static enum rc tx_end(struct tx **tx, enum rc rc)
{
    if (rc == RC_OK)
        return tx_commit(tx);
    tx_abort(tx);
    return rc;
}

/* ---- last contacts */

static enum rc flush_tenant(const struct presence_entry *entries, size_t n)
{
    struct arena *a = arena_new(ARENA);
    struct seen_row *rows = ARENA_ARRAY(a, struct seen_row, n);
    for (size_t i = 0; i < n; i++) {
        rows[i].device = entries[i].device;
        rows[i].at = entries[i].at;
        memcpy(rows[i].address, entries[i].address, sizeof rows[i].address);
    }
    struct tx *tx;
    enum rc rc = tenant_tx(a, entries[0].tenant_no, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, seen_flush(tx, a, rows, n));
    arena_free(&a);
    return rc;
}

static void flush_seen(void)
{
    struct presence_entry *entries;
    size_t n = presence_take_dirty(&entries);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && to - from < FLUSH_MAX && entries[to].tenant_no == entries[from].tenant_no;)
            to++;
        enum rc rc = flush_tenant(entries + from, to - from);
        if (rc == RC_OK || rc == RC_NOT_FOUND)
            continue;
        for (size_t i = from; i < to; i++) /* next time */
            presence_note(entries[i].tenant_no, entries[i].device, entries[i].at, entries[i].address);
    }
    free(entries);
}

/* ---- missed wake-ups: hints that Redis or a dying replica lost */

static void sweep_tenant(const struct wake_entry *entries, size_t n)
{
    struct arena *a = arena_new(ARENA);
    struct uuid *ids = ARENA_ARRAY(a, struct uuid, n);
    for (size_t i = 0; i < n; i++)
        ids[i] = entries[i].device;
    struct device_revision *found = NULL;
    size_t n_found = 0;
    struct tx *tx;
    enum rc rc = tenant_tx(a, entries[0].tenant_no, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, device_revisions(tx, a, ids, n, &found, &n_found));
    for (size_t i = 0; rc == RC_OK && i < n_found; i++)
        wake_local(found[i].id, found[i].revision); /* tells only what is newer */
    arena_free(&a);
}

static void sweep(void)
{
    struct wake_entry *entries;
    size_t n = wake_list(&entries);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && to - from < SWEEP_MAX && entries[to].tenant_no == entries[from].tenant_no;)
            to++;
        sweep_tenant(entries + from, to - from);
    }
    free(entries);
}

static atomic_bool missed;

static void note_missed(void)
{
    atomic_store(&missed, true);
}

static void mind_hints(void)
{
    bool well = channel_beat();
    if (atomic_exchange(&missed, false) || !well)
        sweep();
}

/* ---- what grows old */

static void each_tenant(void (*fn)(struct arena *a, int tenant_no))
{
    struct tenants *all = tenants_get();
    for (size_t i = 0; i < tenants_count(all); i++) {
        struct arena *a = arena_new(ARENA);
        fn(a, tenants_at(all, i)->no);
        arena_free(&a);
    }
    tenants_put(all);
}

static void expire_executions_of(struct arena *a, int tenant_no)
{
    struct tx *tx;
    int64_t n = 0;
    enum rc rc = tenant_tx(a, tenant_no, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, execution_expire(tx, a, clock_now(), &n));
    if (rc == RC_OK && n)
        ev_info(AREA_WORKER, "executions expired", EV_INT("tenant", tenant_no), EV_INT("count", n));
}

static void expire_rows(struct arena *a, int tenant_no,
                        enum rc (*fn)(struct tx *, struct arena *, usec_t, int, int64_t *))
{
    usec_t before = clock_now() - params->retention_days * 86400 * USEC_PER_SEC;
    for (int round = 0; round < EXPIRE_ROUNDS; round++) {
        struct tx *tx;
        int64_t n = 0;
        enum rc rc = tenant_tx(a, tenant_no, &tx);
        if (rc == RC_OK)
            rc = tx_end(&tx, fn(tx, a, before, EXPIRE_ROWS, &n));
        if (rc != RC_OK || n < EXPIRE_ROWS)
            return;
    }
}

/* Sessions that ended or expired a month ago: kept so long for whoever asks what happened. */
static void forget_sessions(struct arena *a, int tenant_no)
{
    struct tx *tx;
    enum rc rc = tenant_tx(a, tenant_no, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, session_forget(tx, a, clock_now() - SESSION_DAYS * 86400 * USEC_PER_SEC));
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        ev_warn(AREA_WORKER, "old sessions cannot be deleted", EV_INT("tenant", tenant_no), EV_RC(rc));
}

static void retain_tenant(struct arena *a, int tenant_no)
{
    expire_rows(a, tenant_no, event_expire);
    expire_rows(a, tenant_no, detection_expire);
    forget_sessions(a, tenant_no);
}

static void expire_executions(void)
{
    each_tenant(expire_executions_of);
}

static void retain(void)
{
    each_tenant(retain_tenant);
}

/* A tenant over its seats is within them again when devices were removed or seats were raised. */
static void settle_seats_of(struct arena *a, int tenant_no)
{
    const struct tenant_scope *scope = tenant_scope_of(a, principal_service(a, tenant_no));
    enum rc rc;
    if (!scope || !scope_tenant(scope)->over_seats_since)
        return;
    rc = enrolment_grace_settle(db, a, quota_permit_service(a, scope), clock_now());
    if (rc != RC_OK)
        ev_warn(AREA_WORKER, "seats cannot be counted", EV_INT("tenant", tenant_no), EV_RC(rc));
}

static void settle_seats(void)
{
    each_tenant(settle_seats_of);
}

/* Signing keys; certificates revoked elsewhere while Redis is away. */
static void look_after_identity(void)
{
    identity_chore(db);
}

static void give_memory_back(void)
{
    static int64_t before;
    int64_t requests = counter_read(C_requests);
    memory_turn(requests - before < IDLE_REQUESTS);
    before = requests;
}

/* ---- the audit */

static void write_refusals(void)
{
    refusals_write(db);
}

/* Under the lock of the head, so that of several servers one seals. */
static enum rc seal(struct arena *a, struct tx *tx, struct slice tenant, usec_t now)
{
    struct audit_head_signed head;
    struct sha256 hash;
    int64_t seq;
    bool due = false;
    enum rc rc = audit_head_lock(tx, a, &seq, &hash);
    if (rc == RC_OK)
        rc = audit_seal_due(tx, a, now - SEAL_USEC, &due);
    if (rc != RC_OK || !due)
        return rc;
    if (!audit_head_sign(a, tenant, seq, &hash, now, &head))
        return RC_UNAVAILABLE;
    char at[CLOCK_RFC3339_SIZE];
    struct audit_change said[] = {
        {"sequence", SLICE_NONE, slice_of(arena_printf(a, "%lld", (long long)seq))},
        {"hash", SLICE_NONE, head.hash},
        {"at", SLICE_NONE, slice_of(clock_rfc3339(now, at))},
        {"signature", SLICE_NONE, head.signature},
    };
    struct audit_row row = {.at = now,
                            .name = SLICE("sekisho"),
                            .address = "",
                            .action = "audit.seal",
                            .result = "done",
                            .detail_json = audit_detail(a, said, sizeof said / sizeof said[0])};
    rc = audit_insert(tx, a, &row);
    if (rc == RC_OK)
        count(C_audit_seals);
    return rc;
}

static void seal_tenant(struct arena *a, int tenant_no)
{
    const struct tenant_scope *scope = tenant_scope_of(a, principal_service(a, tenant_no));
    usec_t now = clock_now();
    struct tx *tx;
    bool due = false;
    enum rc rc = tenant_tx(a, tenant_no, &tx);
    if (rc == RC_OK) {
        rc = audit_seal_due(tx, a, now - SEAL_USEC, &due);
        if (rc == RC_OK && due)
            rc = seal(a, tx, slice_of(scope_tenant(scope)->id), now);
        rc = tx_end(&tx, rc);
    }
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        ev_warn(AREA_WORKER, "the audit could not be sealed", EV_INT("tenant", tenant_no), EV_RC(rc));
}

/* By the wall clock: a seal is a statement about a day. */
static void seal_audits(void)
{
    static usec_t next;
    usec_t now = clock_now();
    if (now < next && next - now <= SEAL_LOOK_USEC)
        return;
    next = now + SEAL_LOOK_USEC;
    each_tenant(seal_tenant);
}

/* ---- the chores */

static struct {
    const char *name;
    void (*run)(void);
    int period; /* seconds */
    int due;
} chores[] = {
    {"hints", mind_hints, 2, 2},
    {"identity", look_after_identity, 2, 2},
    {"refusals", write_refusals, 1, 1},
    {"seals", seal_audits, 2, 10},
    {"sweep", sweep, 20, 20},
    {"last contacts", flush_seen, 60, 60},
    {"seats", settle_seats, 60, 60},
    {"memory", give_memory_back, 5, 5},
    {"late executions", expire_executions, 600, 60},
    {"retention", retain, 3600, 300},
};

static void turn(void)
{
    for (size_t i = 0; i < sizeof chores / sizeof chores[0]; i++) {
        if (--chores[i].due > 0)
            continue;
        must_context("chore", chores[i].name);
        chores[i].run();
        chores[i].due = chores[i].period;
    }
    must_context(NULL, NULL);
}

static void *background(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&wake_up, &lock, &until);
        if (stopping)
            break;
        pthread_mutex_unlock(&lock);
        turn();
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void background_start(const struct params *p)
{
    params = p;
    db = db_new(p, DB_BACKGROUND);
    channel_on_missed(note_missed);
    stopping = false;
    must(pthread_create(&thread, NULL, background, NULL) == 0);
}

void background_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&wake_up);
    pthread_mutex_unlock(&lock);
    must(pthread_join(thread, NULL) == 0);
    flush_seen();
    write_refusals();
    db_free(&db);
}
