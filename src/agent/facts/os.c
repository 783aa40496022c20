/* SPDX-License-Identifier: Apache-2.0 */
/* os.c - the operating system. */
#include "agent/facts/facts.h"
#include "common/strbuf.h"
#include <limits.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct slice time_zone(const struct agent_config *cfg, struct arena *a)
{
    char target[PATH_MAX];
    ssize_t n = readlink(config_path(cfg, a, "/etc/localtime"), target, sizeof(target) - 1);
    static const char folder[] = "/zoneinfo/";
    if (n > 0) {
        target[n] = '\0';
        const char *at = strstr(target, folder);
        if (at)
            return fact_text(a, slice_of(arena_strdup(a, at + sizeof(folder) - 1)), 64);
    }
    return fact_text(a, fact_file(cfg, a, "/etc/timezone", 4096), 64);
}

static struct slice locale(const struct agent_config *cfg, struct arena *a)
{
    static const char *const sources[] = {"/etc/default/locale", "/etc/locale.conf"};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct slice v = fact_variable(a, fact_file(cfg, a, sources[i], 65536), "LANG");
        if (v.n)
            return fact_text(a, v, 64);
    }
    return SLICE_NONE;
}

static usec_t boot_time(const struct agent_config *cfg, struct arena *a)
{
    struct slice text = fact_file(cfg, a, "/proc/stat", 1 << 20);
    uint64_t at;
    while (text.n) {
        struct slice line = slice_cut(&text, '\n');
        if (slice_starts(line, SLICE("btime ")) && slice_u64(slice_trim((struct slice){line.p + 6, line.n - 6}), &at) &&
            at < INT64_C(253402300800))
            return (usec_t)at * USEC_PER_SEC;
    }
    return 0;
}

void facts_os(const struct agent_config *cfg, struct fact_rows *ret)
{
    struct arena *a = arena_new(4 << 20);
    struct wire_value_os v = {.family = WIRE_OS_FAMILY_LINUX};
    struct slice release = fact_file(cfg, a, "/etc/os-release", 65536);
    if (release.n == 0)
        release = fact_file(cfg, a, "/usr/lib/os-release", 65536);
    v.name = fact_text(a, fact_variable(a, release, "NAME"), 100);
    if (v.name.n == 0)
        v.name = SLICE("Linux");
    v.version = fact_text(a, fact_variable(a, release, "VERSION"), 100);
    if (v.version.n == 0)
        v.version = fact_text(a, fact_variable(a, release, "VERSION_ID"), 100);
    v.kernel = fact_text(a, fact_file(cfg, a, "/proc/sys/kernel/osrelease", 4096), 100);
    v.architecture = fact_text(a, fact_file(cfg, a, "/proc/sys/kernel/arch", 4096), 40);
    struct utsname u;
    if (v.architecture.n == 0 && uname(&u) == 0)
        v.architecture = slice_of(arena_strdup(a, u.machine));
    v.time_zone = time_zone(cfg, a);
    v.locale = locale(cfg, a);
    v.boot_at = boot_time(cfg, a);
    struct strbuf b;
    strbuf_init_arena(&b, a, FACT_VALUE_MAX);
    struct json_writer w;
    json_start(&w, &b);
    wire_value_os_encode(&w, &v);
    fact_add(ret, SLICE("-"), &b);
    arena_free(&a);
}
