/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - see state.h. identity.json: who; identity.pem: key and certificate; contact.json: what changes now and
 * then. */
#include "agent/state.h"
#include "common/crypto.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64 * 1024)

static struct slice member(const json_t *v, const char *key)
{
    const json_t *m = json_object_get(v, key);
    return json_is_string(m) ? slice_mem(json_string_value(m), json_string_length(m)) : SLICE_NONE;
}

/* The parsed object; NULL when it is not there or not JSON. */
static const json_t *read_object(const struct agent_config *cfg, struct arena *a, const char *name, enum rc *ret_rc)
{
    struct slice text;
    struct json_error e;
    *ret_rc = file_read(a, config_state(cfg, a, name), FILE_MAX, &text);
    if (*ret_rc != RC_OK)
        return NULL;
    const json_t *v = json_parse(a, text, JSON_LIMITS_DEFAULT, &e);
    return json_is_object(v) ? v : NULL;
}

static void read_contact(const struct agent_config *cfg, struct agent_state *s)
{
    struct arena *a = arena_new(1 << 20);
    enum rc rc;
    const json_t *v = read_object(cfg, a, "agent/contact.json", &rc);
    if (v) {
        struct slice t = member(v, "address"), stopped = member(v, "stopped");
        snprintf(s->address, sizeof(s->address), SLICE_FMT, SLICE_ARG(t));
        snprintf(s->stopped, sizeof(s->stopped), SLICE_FMT, SLICE_ARG(stopped));
        clock_parse_rfc3339(member(v, "stopped_at"), &s->stopped_at);
        json_int_t interval = json_integer_value(json_object_get(v, "interval"));
        if (interval > 0 && interval <= 604800)
            s->interval = interval;
    }
    arena_free(&a);
}

static bool key32(struct slice hex, uint8_t ret[32])
{
    size_t n;
    return slice_unhex(hex, ret, 32, &n) && n == 32;
}

/* Key and certificate are one behind the other. */
static bool split_pem(struct slice text, struct slice *ret_key, struct slice *ret_certificate)
{
    static const char mark[] = "-----BEGIN CERTIFICATE-----";
    const char *at = memmem(text.p, text.n, mark, sizeof(mark) - 1);
    if (!at)
        return false;
    *ret_key = slice_mem(text.p, (size_t)(at - text.p));
    *ret_certificate = slice_mem(at, text.n - (size_t)(at - text.p));
    return true;
}

enum rc state_load(const struct agent_config *cfg, struct agent_state *ret, char *ret_why, size_t why_size)
{
    ret_why[0] = '\0';
    struct agent_state s = {.memory = arena_new_wiping(1 << 20), .tenant = "", .interval = 1200};
    enum rc rc;
    struct slice pem, key, certificate;
    struct uuid id;
    struct tls_certificate info;
    const json_t *v = read_object(cfg, s.memory, "agent/identity.json", &rc);
    enum rc rc_pem = file_read(s.memory, config_state(cfg, s.memory, "agent/identity.pem"), FILE_MAX, &pem);
    if (rc == RC_DENIED || rc_pem == RC_DENIED || rc == RC_UNAVAILABLE || rc_pem == RC_UNAVAILABLE) {
        snprintf(ret_why, why_size, "the state in %s cannot be read", cfg->state_dir);
        arena_free(&s.memory);
        return rc == RC_OK ? rc_pem : rc;
    }
    if (rc == RC_NOT_FOUND && rc_pem == RC_NOT_FOUND) {
        *ret = s;
        return RC_OK;
    }
    if (!v || rc_pem != RC_OK || !uuid_parse(member(v, "device_id"), &id) ||
        !key32(member(v, "time_key"), s.time_key) || !key32(member(v, "module_key"), s.module_key) ||
        !split_pem(pem, &key, &certificate) || tls_certificate_read(s.memory, certificate, &info) != RC_OK ||
        !tls_key_fits(key, certificate) || !uuid_eq(info.device_id, id)) {
        snprintf(ret_why, why_size,
                 "the identity in %s/agent is incomplete or damaged; the device must be enrolled again",
                 cfg->state_dir);
        *ret = s;
        return RC_OK;
    }
    s.device_id = id;
    s.tenant = arena_cstr(s.memory, member(v, "tenant"));
    s.key_pem = key;
    s.certificate_pem = certificate;
    s.not_before = info.not_before;
    s.not_after = info.not_after;
    read_contact(cfg, &s);
    *ret = s;
    return RC_OK;
}

void state_done(struct agent_state *s)
{
    arena_free(&s->memory);
    *s = (struct agent_state){0};
}

bool state_enrolled(const struct agent_state *s)
{
    return !uuid_is_nil(s->device_id);
}

static enum rc write_pem(const struct agent_config *cfg, struct slice key_pem, struct slice certificate_pem)
{
    struct arena *a = arena_new_wiping(1 << 20);
    struct strbuf b;
    strbuf_init_arena(&b, a, FILE_MAX);
    strbuf_add(&b, key_pem);
    if (key_pem.n && key_pem.p[key_pem.n - 1] != '\n')
        strbuf_add_char(&b, '\n');
    strbuf_add(&b, certificate_pem);
    enum rc rc = b.over ? RC_INVALID : file_write(config_state(cfg, a, "agent/identity.pem"), strbuf_slice(&b), 0600);
    arena_free(&a);
    return rc;
}

static bool fits(struct slice key_pem, struct slice certificate_pem, struct uuid device_id)
{
    struct arena *a = arena_new(1 << 16);
    struct tls_certificate info;
    bool ok = tls_certificate_read(a, certificate_pem, &info) == RC_OK && tls_key_fits(key_pem, certificate_pem) &&
              uuid_eq(info.device_id, device_id);
    arena_free(&a);
    return ok;
}

enum rc state_enrol(const struct agent_config *cfg, struct slice key_pem, const struct wire_enrol_response *answer)
{
    uint8_t key[32];
    if (!fits(key_pem, answer->certificate_pem, answer->device_id) || !key32(answer->time_key, key) ||
        !key32(answer->module_key, key))
        return RC_INVALID;
    struct arena *a = arena_new(1 << 20);
    static const char *const old[] = {"agent/facts", "agent/tasks.json", "agent/problems.json", "agent/contact.json"};
    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
        unlink(config_state(cfg, a, old[i]));
    struct strbuf b;
    strbuf_init_arena(&b, a, FILE_MAX);
    struct json_writer w;
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "device_id");
    json_uuid(&w, answer->device_id);
    json_key(&w, "tenant");
    json_str(&w, answer->tenant);
    json_key(&w, "time_key");
    json_str(&w, answer->time_key);
    json_key(&w, "module_key");
    json_str(&w, answer->module_key);
    json_key(&w, "enrolled_at");
    json_time(&w, answer->server_time);
    json_object_close(&w);
    strbuf_add_char(&b, '\n');
    /* Both files must be there to count, and the ids in them must agree: a crash in between is "not enrolled". */
    enum rc rc = file_write(config_state(cfg, a, "agent/identity.json"), strbuf_slice(&b), 0600);
    if (rc == RC_OK)
        rc = write_pem(cfg, key_pem, answer->certificate_pem);
    arena_free(&a);
    return rc;
}

enum rc state_renew(const struct agent_config *cfg, const struct agent_state *s, struct slice key_pem,
                    struct slice certificate_pem)
{
    if (!fits(key_pem, certificate_pem, s->device_id))
        return RC_INVALID;
    return write_pem(cfg, key_pem, certificate_pem);
}

enum rc state_save_contact(const struct agent_config *cfg, const struct agent_state *s)
{
    struct arena *a = arena_new(1 << 16);
    struct strbuf b;
    strbuf_init_arena(&b, a, 4096);
    struct json_writer w;
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "interval");
    json_int(&w, s->interval);
    json_key(&w, "address");
    json_str(&w, slice_of(s->address));
    if (s->stopped[0]) {
        json_key(&w, "stopped");
        json_str(&w, slice_of(s->stopped));
        json_key(&w, "stopped_at");
        json_time(&w, s->stopped_at);
    }
    json_object_close(&w);
    strbuf_add_char(&b, '\n');
    enum rc rc = file_write(config_state(cfg, a, "agent/contact.json"), strbuf_slice(&b), 0600);
    arena_free(&a);
    return rc;
}

uint64_t state_stamp(const struct agent_config *cfg)
{
    struct arena *a = arena_new(16384);
    struct stat st;
    uint64_t stamp = 0;
    if (stat(config_state(cfg, a, "agent/identity.pem"), &st) == 0)
        stamp = (uint64_t)st.st_mtim.tv_sec * 1000003 + (uint64_t)st.st_mtim.tv_nsec + st.st_ino;
    arena_free(&a);
    return stamp;
}
