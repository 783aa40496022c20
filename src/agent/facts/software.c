/* SPDX-License-Identifier: Apache-2.0 */
/* software.c - installed packages from dpkg's status file, read line by line: it may have megabytes. */
#include "agent/facts/facts.h"
#include "common/strbuf.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define STATUS "/var/lib/dpkg/status"

struct package {
    char name[256];
    char version[128];
    char maintainer[512];
    char architecture[48];
    uint64_t kib;
    bool has_size;
    bool installed;
};

static void keep(char *out, size_t size, struct slice value)
{
    snprintf(out, size, "%.*s", (int)(value.n < size ? value.n : size - 1), value.p);
}

static usec_t installed_at(const struct agent_config *cfg, struct arena *a, const struct package *p)
{
    struct stat st;
    if (stat(config_path(cfg, a, arena_printf(a, "/var/lib/dpkg/info/%s.list", p->name)), &st) == 0 ||
        stat(config_path(cfg, a, arena_printf(a, "/var/lib/dpkg/info/%s:%s.list", p->name, p->architecture)), &st) == 0)
        return (usec_t)st.st_mtime * USEC_PER_SEC;
    return 0;
}

static void add_package(const struct agent_config *cfg, struct arena *a, const struct package *p, struct fact_rows *ret)
{
    if (!p->installed || !p->name[0] || !p->version[0])
        return;
    struct wire_value_software v = {0};
    v.version = fact_text(a, slice_of(p->version), 100);
    v.vendor = fact_text(a, slice_of(p->maintainer), 200);
    v.architecture = fact_text(a, slice_of(p->architecture), 40);
    v.has_size = p->has_size;
    v.size = (int64_t)p->kib * 1024;
    v.installed_at = installed_at(cfg, a, p);
    struct strbuf b;
    strbuf_init_arena(&b, a, FACT_VALUE_MAX);
    struct json_writer w;
    json_start(&w, &b);
    wire_value_software_encode(&w, &v);
    const char *key = arena_printf(a, "%s:%s", p->name, p->architecture[0] ? p->architecture : "all");
    fact_add(ret, fact_text(a, slice_of(key), FACT_KEY_MAX), &b);
    arena_reset(a);
}

static void field(struct package *p, struct slice line)
{
    struct slice name = slice_cut(&line, ':'), value = slice_trim(line);
    if (slice_eq(name, SLICE("Package")))
        keep(p->name, sizeof(p->name), value);
    else if (slice_eq(name, SLICE("Version")))
        keep(p->version, sizeof(p->version), value);
    else if (slice_eq(name, SLICE("Maintainer")))
        keep(p->maintainer, sizeof(p->maintainer), value);
    else if (slice_eq(name, SLICE("Architecture")))
        keep(p->architecture, sizeof(p->architecture), value);
    else if (slice_eq(name, SLICE("Installed-Size")))
        p->has_size = slice_u64(value, &p->kib) && p->kib < (UINT64_C(1) << 42);
    else if (slice_eq(name, SLICE("Status")))
        p->installed = slice_ends(value, SLICE(" installed"));
}

void facts_software(const struct agent_config *cfg, struct fact_rows *ret)
{
    struct arena *a = arena_new(1 << 20);
    FILE *f = fopen(config_path(cfg, a, STATUS), "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    struct package p = {0};
    while (f && (n = getline(&line, &cap, f)) >= 0) {
        struct slice s = {line, (size_t)n};
        while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
            s.n--;
        if (s.n == 0) {
            add_package(cfg, a, &p, ret);
            p = (struct package){0};
        } else if (s.p[0] != ' ' && s.p[0] != '\t') {
            field(&p, s);
        }
    }
    add_package(cfg, a, &p, ret);
    free(line);
    if (f)
        fclose(f);
    arena_free(&a);
}

uint64_t facts_software_stamp(const struct agent_config *cfg)
{
    struct arena *a = arena_new(16384);
    struct stat st;
    uint64_t stamp = 0;
    if (stat(config_path(cfg, a, STATUS), &st) == 0)
        stamp = (uint64_t)st.st_mtim.tv_sec * 1000003 + (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_size + st.st_ino;
    arena_free(&a);
    return stamp;
}
