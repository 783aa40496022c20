/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - names of the machine. The full name is found without asking DNS, which could block. */
#include "agent/facts/facts.h"
#include "common/strbuf.h"
#include <sys/stat.h>

const char *facts_hostname(const struct agent_config *cfg, struct arena *a)
{
    static const char *const sources[] = {"/proc/sys/kernel/hostname", "/etc/hostname"};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct slice name = fact_text(a, fact_file(cfg, a, sources[i], 4096), 255);
        if (name.n && !slice_eq(name, SLICE("(none)")))
            return arena_cstr(a, name);
    }
    return "unknown";
}

const char *facts_machine_id(const struct agent_config *cfg, struct arena *a)
{
    struct slice id = fact_file(cfg, a, "/etc/machine-id", 4096);
    if (id.n == 0)
        id = fact_file(cfg, a, "/sys/class/dmi/id/product_uuid", 4096);
    if (id.n == 0)
        return "";
    /* The id itself is meant to stay on the machine: only a digest of it, for this use, is told. */
    struct sha256 h = crypto_hmac_sha256(SLICE("sekisho machine id"), id);
    return wire_hex(&h, arena_alloc(a, WIRE_HEX_SIZE));
}

const char *facts_boot_id(const struct agent_config *cfg, struct arena *a)
{
    return arena_cstr(a, fact_text(a, fact_file(cfg, a, "/proc/sys/kernel/random/boot_id", 4096), 64));
}

bool facts_restart_required(const struct agent_config *cfg)
{
    struct arena *a = arena_new(16384);
    struct stat st;
    bool there = stat(config_path(cfg, a, "/run/reboot-required"), &st) == 0 ||
                 stat(config_path(cfg, a, "/var/run/reboot-required"), &st) == 0;
    arena_free(&a);
    return there;
}

/* The first name in /etc/hosts of the form host.something. */
static struct slice from_hosts(struct slice hosts, struct slice host)
{
    while (hosts.n) {
        struct slice line = slice_cut(&hosts, '\n');
        line = slice_cut(&line, '#');
        for (size_t i = 0; i < line.n; i++) {
            bool start = i > 0 && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t');
            struct slice rest = {line.p + i, line.n - i};
            if (!start || rest.n <= host.n + 1 || !slice_starts(rest, host) || rest.p[host.n] != '.')
                continue;
            size_t n = 0;
            while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t' && rest.p[n] != '\r')
                n++;
            return (struct slice){rest.p, n};
        }
    }
    return SLICE_NONE;
}

static struct slice search_domain(struct slice resolv)
{
    while (resolv.n) {
        struct slice line = slice_trim(slice_cut(&resolv, '\n'));
        if (!slice_starts(line, SLICE("search ")) && !slice_starts(line, SLICE("domain ")))
            continue;
        struct slice rest = slice_trim((struct slice){line.p + 7, line.n - 7});
        struct slice domain = slice_cut(&rest, ' ');
        if (domain.n && !slice_eq(domain, SLICE(".")))
            return domain;
    }
    return SLICE_NONE;
}

void facts_identity(const struct agent_config *cfg, const char *agent_version, struct fact_rows *ret)
{
    struct arena *a = arena_new(1 << 20);
    struct wire_value_identity v = {.agent_version = slice_of(agent_version)};
    struct slice host = slice_of(facts_hostname(cfg, a)), domain;
    v.hostname = host;
    size_t dot;
    struct slice full = SLICE_NONE;
    if (slice_find(host, '.', &dot))
        full = host;
    if (full.n == 0)
        full = from_hosts(fact_file(cfg, a, "/etc/hosts", 256 * 1024), host);
    if (full.n == 0 && (domain = search_domain(fact_file(cfg, a, "/etc/resolv.conf", 65536))).n)
        full = slice_of(arena_printf(a, SLICE_FMT "." SLICE_FMT, SLICE_ARG(host), SLICE_ARG(domain)));
    v.fqdn = fact_text(a, full, 255);
    v.machine_id = slice_of(facts_machine_id(cfg, a));
    if (v.machine_id.n == 0)
        v.machine_id = SLICE_NONE;
    struct strbuf b;
    strbuf_init_arena(&b, a, FACT_VALUE_MAX);
    struct json_writer w;
    json_start(&w, &b);
    wire_value_identity_encode(&w, &v);
    fact_add(ret, SLICE("-"), &b);
    arena_free(&a);
}
