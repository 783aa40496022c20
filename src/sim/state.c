/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - see state.h. What a device has acknowledged is kept as it lies in memory, with its size as a check: a file
 * of another build costs a full inventory and nothing else. */
#include "sim/state.h"
#include "common/file.h"
#include "common/must.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_CEILING ((size_t)1 << 30)
#define LINE_CEILING ((size_t)32 << 20)
#define FORMAT       1

static const struct json_limits limits = {LINE_CEILING, 8, 200000};
static const char *const languages[] = {[FLEET_EN] = "en", [FLEET_JA] = "ja", [FLEET_MIX] = "mix"};

struct remembered {
    struct facts now, acked;
    struct sha256 digests[FLEET_KINDS];
    struct chance chance;
    uint8_t changed, held;
};

/* ---- reading */

static enum rc read_file(struct arena *a, const char *path, struct slice *ret, char *why, size_t why_size)
{
    enum rc rc = file_read(a, path, FILE_CEILING, ret);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        snprintf(why, why_size, "the state file %s cannot be read (%s)", path, strerror(errno));
    return rc;
}

static enum rc parse_head(struct arena *a, struct slice line, const char *path, uint64_t *ret_seed,
                          enum fleet_language *ret_language, char *why, size_t why_size)
{
    struct json_error error;
    const json_t *v = json_parse(a, line, limits, &error);
    const char *seed = json_string_value(json_object_get(v, "seed")),
               *language = json_string_value(json_object_get(v, "language"));
    if (json_integer_value(json_object_get(v, "sekisho_sim")) == FORMAT && seed && slice_u64(slice_of(seed), ret_seed))
        for (int i = 0; language && i < 3; i++)
            if (strcmp(languages[i], language) == 0) {
                *ret_language = (enum fleet_language)i;
                return RC_OK;
            }
    snprintf(why, why_size, "%s is not a state file of this version of sekisho-sim", path);
    return RC_INVALID;
}

enum rc state_head(const char *path, uint64_t *ret_seed, enum fleet_language *ret_language, char *ret_why,
                   size_t why_size)
{
    struct arena *a = arena_new(FILE_CEILING + LINE_CEILING);
    struct slice text = SLICE_NONE;
    enum rc rc = read_file(a, path, &text, ret_why, why_size);
    if (rc == RC_OK)
        rc = parse_head(a, slice_cut(&text, '\n'), path, ret_seed, ret_language, ret_why, why_size);
    arena_free(&a);
    return rc;
}

static bool bytes_of(const json_t *v, const char *key, uint8_t **ret, size_t *ret_n)
{
    struct slice text = slice_of(json_string_value(json_object_get(v, key)));
    uint8_t *p = must_alloc(text.n + 1);
    if (text.n && slice_unbase64url(text, p, text.n, ret_n) && *ret_n) {
        *ret = p;
        return true;
    }
    free(p);
    return false;
}

static bool uuid_of(const json_t *v, const char *key, struct uuid *ret)
{
    return uuid_parse(slice_of(json_string_value(json_object_get(v, key))), ret);
}

static void load_facts(struct device *d, const json_t *v)
{
    uint8_t *p;
    size_t n;
    struct remembered r;
    if (!bytes_of(v, "facts", &p, &n))
        return;
    if (n == sizeof(r)) {
        memcpy(&r, p, sizeof(r));
        d->now = r.now;
        d->acked = r.acked;
        d->chance = r.chance;
        d->changed = r.changed;
        d->held = r.held;
        memcpy(d->digests, r.digests, sizeof(d->digests));
    }
    free(p);
}

static void load_events(struct device *d, struct arena *a, const json_t *v)
{
    const json_t *list = json_object_get(v, "events");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        struct uuid id;
        usec_t at;
        enum wire_event_kind kind = wire_event_kind_parse(slice_of(json_string_value(json_object_get(e, "kind"))));
        if (kind == WIRE_EVENT_KIND_UNKNOWN || !uuid_of(e, "id", &id) ||
            !clock_parse_rfc3339(slice_of(json_string_value(json_object_get(e, "at"))), &at))
            continue;
        spool_add(&d->spool, id, kind, at, json_text(a, json_object_get(e, "body")));
    }
}

static bool load_device(struct device *d, struct arena *a, const json_t *v)
{
    const char *expires = json_string_value(json_object_get(v, "expires"));
    if (json_is_true(json_object_get(v, "gone"))) {
        d->state = DEVICE_GONE;
        return true;
    }
    if (!uuid_of(v, "id", &d->id) || !uuid_of(v, "epoch", &d->spool.epoch) ||
        !bytes_of(v, "key", &d->creds.key, &d->creds.key_n) ||
        !bytes_of(v, "certificate", &d->creds.certificate, &d->creds.certificate_n) || !expires ||
        !clock_parse_rfc3339(slice_of(expires), &d->creds.expires))
        return false;
    int64_t tail = json_integer_value(json_object_get(v, "tail"));
    d->spool.head = tail > 0 ? tail - 1 : 0;
    load_events(d, a, v);
    d->revision = json_integer_value(json_object_get(v, "revision"));
    d->numbered = json_integer_value(json_object_get(v, "numbered"));
    d->interval = (int)json_integer_value(json_object_get(v, "interval"));
    load_facts(d, v);
    device_remember(d);
    d->state = DEVICE_MEMBER;
    return true;
}

static bool load_line(struct sim *s, struct slice line)
{
    struct arena *a = arena_new(LINE_CEILING * 4);
    struct json_error error;
    const json_t *v = json_parse(a, line, limits, &error);
    const json_t *index = json_object_get(v, "index");
    json_int_t i = json_is_integer(index) ? json_integer_value(index) : -1;
    bool ok = i >= 0 && (i >= s->o.devices || load_device(&s->devices[i], a, v));
    if (ok && i >= s->o.devices) {
        strbuf_add(&s->beyond, line);
        strbuf_add_char(&s->beyond, '\n');
    }
    arena_free(&a);
    return ok;
}

enum rc state_load(struct sim *s, const char *path, char *ret_why, size_t why_size)
{
    struct arena *a = arena_new(FILE_CEILING + LINE_CEILING);
    struct slice text;
    uint64_t seed;
    enum fleet_language language;
    enum rc rc = read_file(a, path, &text, ret_why, why_size);
    if (rc == RC_OK)
        rc = parse_head(a, slice_cut(&text, '\n'), path, &seed, &language, ret_why, why_size);
    for (size_t number = 2; rc == RC_OK && text.n; number++) {
        if (load_line(s, slice_cut(&text, '\n')))
            continue;
        snprintf(ret_why, why_size, "the state file %s is damaged in line %zu", path, number);
        rc = RC_INVALID;
    }
    arena_free(&a);
    return rc;
}

/* ---- writing */

static void write_bytes(struct json_writer *w, struct arena *a, const char *key, const void *p, size_t n)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 * n + 16);
    strbuf_add_base64url(&b, p, n);
    json_key(w, key);
    json_str(w, strbuf_slice(&b));
}

static void write_events(struct json_writer *w, const struct device *d)
{
    json_key(w, "events");
    json_array_open(w);
    for (const struct spool_record *r = d->spool.first; r; r = r->next) {
        json_object_open(w);
        json_key(w, "id");
        json_uuid(w, r->id);
        json_key(w, "kind");
        json_str(w, slice_of(wire_event_kind_text(r->kind)));
        json_key(w, "at");
        json_time(w, r->occurred);
        json_key(w, "body");
        json_raw(w, slice_mem(r->body, r->n));
        json_object_close(w);
    }
    json_array_close(w);
}

static void write_device(struct json_writer *w, struct arena *a, const struct device *d)
{
    struct remembered r;
    memset(&r, 0, sizeof(r)); /* the gaps too */
    r.now = d->now;
    r.acked = d->acked;
    r.chance = d->chance;
    r.changed = device_untold(d);
    r.held = d->held;
    memcpy(r.digests, d->digests, sizeof(r.digests));
    json_object_open(w);
    json_key(w, "index");
    json_int(w, d->index);
    json_key(w, "id");
    json_uuid(w, d->id);
    json_key(w, "expires");
    json_time(w, d->creds.expires);
    json_key(w, "epoch");
    json_uuid(w, d->spool.epoch);
    json_key(w, "tail");
    json_int(w, spool_tail(&d->spool));
    json_key(w, "revision");
    json_int(w, d->revision);
    json_key(w, "numbered");
    json_int(w, d->numbered);
    json_key(w, "interval");
    json_int(w, d->interval);
    write_bytes(w, a, "key", d->creds.key, d->creds.key_n);
    write_bytes(w, a, "certificate", d->creds.certificate, d->creds.certificate_n);
    write_bytes(w, a, "facts", &r, sizeof(r));
    if (d->spool.first)
        write_events(w, d);
    json_object_close(w);
}

/* Removed or revoked by people: it does not come back by itself. */
static void write_gone(struct json_writer *w, unsigned index)
{
    json_object_open(w);
    json_key(w, "index");
    json_int(w, index);
    json_key(w, "gone");
    json_bool(w, true);
    json_object_close(w);
}

enum rc state_save(const struct sim *s, const char *path)
{
    struct strbuf b;
    struct json_writer w;
    struct arena *a = arena_new(1 << 20);
    char seed[24];
    strbuf_init(&b, FILE_CEILING);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "sekisho_sim");
    json_int(&w, FORMAT);
    json_key(&w, "seed");
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)s->o.seed);
    json_str(&w, slice_of(seed));
    json_key(&w, "language");
    json_str(&w, slice_of(languages[s->o.language]));
    json_object_close(&w);
    strbuf_add_char(&b, '\n');
    for (unsigned i = 0; i < s->o.devices; i++) {
        if (s->devices[i].state == DEVICE_NEW)
            continue;
        json_start(&w, &b);
        if (s->devices[i].state == DEVICE_GONE)
            write_gone(&w, i);
        else
            write_device(&w, a, &s->devices[i]);
        strbuf_add_char(&b, '\n');
        arena_reset(a);
    }
    strbuf_add(&b, strbuf_slice(&s->beyond));
    arena_free(&a);
    enum rc rc = b.over ? RC_OVER_QUOTA : file_write(path, strbuf_slice(&b), 0600);
    strbuf_done(&b);
    return rc;
}
