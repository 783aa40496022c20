/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - see fleet.h. */
#include "sim/fleet.h"
#include "common/strbuf.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GIB INT64_C(1073741824)
#define DAY (86400 * USEC_PER_SEC)

enum purpose { FOR_PROFILE = 1, FOR_FACTS, FOR_PACKAGES };

/* ---- chance: splitmix64 */

uint64_t chance_next(struct chance *c)
{
    uint64_t z = (c->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned chance_below(struct chance *c, unsigned n)
{
    return (unsigned)((chance_next(c) >> 32) * n >> 32);
}

bool chance_percent(struct chance *c, unsigned percent)
{
    return chance_below(c, 100) < percent;
}

double chance_exponential(struct chance *c, double mean)
{
    double u = ((double)(chance_next(c) >> 11) + 1) / 9007199254740993.0;
    return -log(u) * mean;
}

struct chance chance_for(uint64_t seed, unsigned index, unsigned purpose)
{
    struct chance c = {seed ^ (uint64_t)index << 20 ^ (uint64_t)purpose << 56};
    (void)chance_next(&c);
    return (struct chance){chance_next(&c)};
}

/* ---- profile */

static const struct catalogue_system *pick_system(struct chance *c)
{
    unsigned at = chance_below(c, 100);
    for (size_t i = 0; i < catalogue_n_systems; i++) {
        if (at < catalogue_systems[i].weight)
            return &catalogue_systems[i];
        at -= catalogue_systems[i].weight;
    }
    return &catalogue_systems[0];
}

static const struct catalogue_machine *pick_machine(struct chance *c, const struct catalogue_system *s)
{
    bool apple = s->family == WIRE_OS_FAMILY_MACOS;
    for (;;) {
        const struct catalogue_machine *m = &catalogue_machines[chance_below(c, (unsigned)catalogue_n_machines)];
        if (m->apple == apple && m->server == s->server)
            return m;
    }
}

static void name_host(struct profile *p, struct chance *c, const struct catalogue_person *who)
{
    static const char *const roles[] = {"web", "db", "file", "app", "mail", "dc"};
    const struct catalogue_department *d = &catalogue_departments[chance_below(c, (unsigned)catalogue_n_departments)];
    const char *role = roles[chance_below(c, 6)];
    unsigned number = p->index + 1, style = chance_below(c, 10);
    if (p->system->server)
        snprintf(p->hostname, sizeof(p->hostname), "%s-%s%03u", p->japanese ? "tyo" : "srv", role, number);
    else if (p->japanese && style < 4)
        snprintf(p->hostname, sizeof(p->hostname), "%s-%s%03u", d->ja, who->family_ja, number);
    else if (p->japanese)
        snprintf(p->hostname, sizeof(p->hostname), "%s-pc%03u", d->code, number);
    else if (p->machine->apple)
        snprintf(p->hostname, sizeof(p->hostname), "%ss-mac-%03u", who->given, number);
    else
        snprintf(p->hostname, sizeof(p->hostname), "%s%04u", style < 5 ? "lap-" : "desk-", number);
    for (char *s = p->hostname; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s + ('a' - 'A'));
    if (style >= 4 || !p->japanese)
        snprintf(p->fqdn, sizeof(p->fqdn), "%s.corp.example", p->hostname);
}

static void name_user(struct profile *p, const struct catalogue_person *who, unsigned i)
{
    char family[40];
    size_t n = 0;
    for (const char *s = who->family; *s && n + 1 < sizeof(family); s++)
        if (*s != ' ')
            family[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s + ('a' - 'A')) : *s;
    family[n] = '\0';
    char first = (char)(who->given[0] + ('a' - 'A'));
    if (p->japanese && i == 0 && p->index % 3 == 0 && p->system->family != WIRE_OS_FAMILY_LINUX)
        snprintf(p->users[i], sizeof(p->users[i]), "%s %s", who->family_ja, who->given_ja);
    else if (p->system->family == WIRE_OS_FAMILY_WINDOWS)
        snprintf(p->users[i], sizeof(p->users[i]), "CORP\\%c.%s", first, family);
    else
        snprintf(p->users[i], sizeof(p->users[i]), "%s.%c", family, first);
}

static void name_people(struct profile *p, struct chance *c)
{
    size_t n = p->japanese ? catalogue_n_people_ja : catalogue_n_people_en;
    const struct catalogue_person *people = p->japanese ? catalogue_people_ja : catalogue_people_en;
    unsigned first = chance_below(c, (unsigned)n);
    p->n_users = p->system->server ? 2 : 1 + chance_below(c, FLEET_USERS);
    for (unsigned i = 0; i < p->n_users; i++)
        name_user(p, &people[(first + i * 5) % n], i);
    name_host(p, c, &people[first]);
}

static void number_adapters(struct profile *p, struct chance *c)
{
    unsigned i = p->index;
    uint64_t r = chance_next(c);
    snprintf(p->mac, sizeof(p->mac), "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(r & 255), (unsigned)(r >> 8 & 255),
             i >> 16 & 255, i >> 8 & 255, i & 255);
    snprintf(p->wifi_mac, sizeof(p->wifi_mac), "06:%02x:%02x:%02x:%02x:%02x", (unsigned)(r & 255),
             (unsigned)(r >> 8 & 255), i >> 16 & 255, i >> 8 & 255, i & 255);
    unsigned host = i % 16250000;
    snprintf(p->ip, sizeof(p->ip), "10.%u.%u.%u", host / 62500, host / 250 % 250, 2 + host % 250);
    snprintf(p->ip6, sizeof(p->ip6), "fe80::%x:%x:%x", (unsigned)(r >> 16 & 0xffff), i >> 16 & 0xffff, i & 0xffff);
}

void profile_make(uint64_t seed, unsigned index, enum fleet_language language, struct profile *ret)
{
    struct chance c = chance_for(seed, index, FOR_PROFILE);
    *ret = (struct profile){.index = index, .seed = seed};
    ret->japanese = language == FLEET_JA || (language == FLEET_MIX && chance_percent(&c, 50));
    ret->system = pick_system(&c);
    ret->machine = pick_machine(&c, ret->system);
    name_people(ret, &c);
    number_adapters(ret, &c);
    char key[64];
    snprintf(key, sizeof(key), "sekisho-sim %llu %u", (unsigned long long)seed, index);
    struct sha256 h = crypto_sha256(slice_of(key));
    wire_hex(&h, ret->machine_id);
    snprintf(ret->serial, sizeof(ret->serial), "%c%c%c%07u", 'A' + (char)chance_below(&c, 26),
             'A' + (char)chance_below(&c, 26), 'A' + (char)chance_below(&c, 26), chance_below(&c, 10000000));
    ret->memory = (ret->system->server ? INT64_C(32) << chance_below(&c, 3) : INT64_C(8) << chance_below(&c, 3)) * GIB;
    ret->disk = (INT64_C(256) << chance_below(&c, ret->system->server ? 4 : 3)) * 1000000000;
    ret->n_packages = 120 + chance_below(&c, 281);
}

/* ---- what changes */

void facts_start(const struct profile *p, usec_t now, struct facts *ret)
{
    struct chance c = chance_for(p->seed, p->index, FOR_FACTS);
    usec_t second = now / USEC_PER_SEC * USEC_PER_SEC; /* facts are told in whole seconds */
    *ret = (struct facts){.protection_on = true};
    ret->boot_at = second - (usec_t)(600 + chance_below(&c, p->system->server ? 90 * 86400 : 5 * 86400)) * USEC_PER_SEC;
    ret->user_since = ret->boot_at + (usec_t)(30 + chance_below(&c, 500)) * USEC_PER_SEC;
    ret->users = p->system->server && chance_percent(&c, 70) ? 0 : 1;
    ret->free_percent[0] = (uint8_t)(12 + chance_below(&c, 76));
    ret->free_percent[1] = (uint8_t)(20 + chance_below(&c, 70));
    ret->signature_at = second - (usec_t)chance_below(&c, 20 * 3600) * USEC_PER_SEC;
    ret->engine_patch = (uint8_t)chance_below(&c, 4);
    if (chance_percent(&c, 5)) {
        ret->signature_at = second - (9 + chance_below(&c, 30)) * DAY;
        ret->since[PROBLEM_MODULES_OUTDATED] = ret->signature_at + 7 * DAY;
    }
    if (chance_percent(&c, 2)) {
        ret->protection_on = false;
        ret->since[PROBLEM_PROTECTION_OFF] = second - (usec_t)chance_below(&c, 3 * 86400) * USEC_PER_SEC;
    }
    if (chance_percent(&c, 6))
        ret->since[PROBLEM_RESTART_REQUIRED] = second - (usec_t)chance_below(&c, 86400) * USEC_PER_SEC;
    if (chance_percent(&c, 3)) {
        ret->free_percent[0] = (uint8_t)(1 + chance_below(&c, 4));
        ret->since[PROBLEM_DISK_LOW] = second - (usec_t)chance_below(&c, 10 * 86400) * USEC_PER_SEC;
    }
}

const char *problem_code(enum problem p)
{
    static const char *const codes[PROBLEM_KINDS] = {"modules_outdated", "protection_off", "restart_required",
                                                     "disk_low"};
    return codes[p];
}

int64_t facts_signature_version(const struct facts *f)
{
    return 27000 + (f->signature_at / USEC_PER_SEC - 1735689600) / 21600; /* four editions a day */
}

/* ---- rows */

struct rows {
    struct arena *a;
    struct wire_digest_row *v;
    size_t n, cap;
    struct strbuf b;
    struct json_writer w;
};

static struct json_writer *row_open(struct rows *r)
{
    strbuf_init_arena(&r->b, r->a, 16384);
    json_start(&r->w, &r->b);
    return &r->w;
}

static void row_close(struct rows *r, struct slice key)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 8;
        r->v = arena_realloc(r->a, r->v, r->cap * sizeof(*r->v), cap * sizeof(*r->v));
        r->cap = cap;
    }
    r->v[r->n++] = (struct wire_digest_row){key, strbuf_slice(&r->b)};
}

static struct slice text_or_none(const char *s)
{
    return s[0] ? slice_of(s) : SLICE_NONE;
}

static void rows_identity(struct rows *r, const struct profile *p, const struct facts *f)
{
    (void)f;
    wire_value_identity_encode(row_open(r), &(struct wire_value_identity){.hostname = slice_of(p->hostname),
                                                                          .fqdn = text_or_none(p->fqdn),
                                                                          .machine_id = slice_of(p->machine_id),
                                                                          .agent_version = SLICE(FLEET_AGENT_VERSION)});
    row_close(r, SLICE("-"));
}

static void rows_os(struct rows *r, const struct profile *p, const struct facts *f)
{
    wire_value_os_encode(
        row_open(r), &(struct wire_value_os){.family = p->system->family,
                                             .name = slice_of(p->system->name),
                                             .version = slice_of(p->system->version),
                                             .kernel = slice_of(p->system->kernel),
                                             .architecture = slice_of(p->system->architecture),
                                             .time_zone = p->japanese ? SLICE("Asia/Tokyo") : SLICE("Europe/London"),
                                             .locale = p->japanese ? SLICE("ja_JP.UTF-8") : SLICE("en_GB.UTF-8"),
                                             .boot_at = f->boot_at});
    row_close(r, SLICE("-"));
}

static const char *mount_of(const struct profile *p, int i)
{
    if (p->system->family == WIRE_OS_FAMILY_WINDOWS)
        return i == 0 ? "C:" : "D:";
    return i == 0 ? "/" : p->system->family == WIRE_OS_FAMILY_MACOS ? "/System/Volumes/Data" : "/var";
}

static void rows_hardware(struct rows *r, const struct profile *p, const struct facts *f)
{
    static const char *const types[] = {
        [WIRE_OS_FAMILY_WINDOWS] = "NTFS", [WIRE_OS_FAMILY_MACOS] = "apfs", [WIRE_OS_FAMILY_LINUX] = "ext4"};
    bool windows = p->system->family == WIRE_OS_FAMILY_WINDOWS;
    wire_value_disk_encode(row_open(r),
                           &(struct wire_value_disk){.model = slice_of(p->machine->disk), .size = p->disk});
    row_close(r, windows ? SLICE("disk:0") : p->machine->apple ? SLICE("disk:disk0") : SLICE("disk:nvme0n1"));
    for (int i = 0; i < 2; i++) {
        int64_t size = i == 0 ? p->disk / 4 * 3 : p->disk / 5;
        int64_t step = size / 100;
        wire_value_filesystem_encode(row_open(r),
                                     &(struct wire_value_filesystem){.type = slice_of(types[p->system->family]),
                                                                     .size = size,
                                                                     .free = step * f->free_percent[i]});
        row_close(r, slice_of(arena_printf(r->a, "fs:%s", mount_of(p, i))));
    }
    wire_value_machine_encode(row_open(r), &(struct wire_value_machine){.vendor = slice_of(p->machine->vendor),
                                                                        .model = slice_of(p->machine->model),
                                                                        .serial = slice_of(p->serial),
                                                                        .cpu = slice_of(p->machine->cpu),
                                                                        .has_cpu_cores = true,
                                                                        .cpu_cores = p->machine->cores,
                                                                        .has_memory = true,
                                                                        .memory = p->memory});
    row_close(r, SLICE("machine"));
}

static void rows_network(struct rows *r, const struct profile *p, const struct facts *f)
{
    static const char *const wired[] = {
        [WIRE_OS_FAMILY_WINDOWS] = "Ethernet", [WIRE_OS_FAMILY_MACOS] = "en0", [WIRE_OS_FAMILY_LINUX] = "enp3s0"};
    static const char *const wireless[] = {
        [WIRE_OS_FAMILY_WINDOWS] = "Wi-Fi", [WIRE_OS_FAMILY_MACOS] = "en1", [WIRE_OS_FAMILY_LINUX] = "wlp2s0"};
    struct slice *addresses = ARENA_ARRAY(r->a, struct slice, 2);
    (void)f;
    addresses[0] = slice_of(p->ip);
    addresses[1] = slice_of(p->ip6);
    wire_value_adapter_encode(row_open(r), &(struct wire_value_adapter){.mac = slice_of(p->mac),
                                                                        .state = SLICE("up"),
                                                                        .has_speed = true,
                                                                        .speed = p->system->server ? 10000 : 1000,
                                                                        .addresses = addresses,
                                                                        .n_addresses = 2});
    row_close(r, slice_of(wired[p->system->family]));
    if (p->system->server)
        return;
    wire_value_adapter_encode(row_open(r),
                              &(struct wire_value_adapter){.mac = slice_of(p->wifi_mac), .state = SLICE("down")});
    row_close(r, slice_of(wireless[p->system->family]));
}

static int updates_of(const struct facts *f, unsigned package)
{
    int n = 0;
    for (unsigned i = 0; i < f->n_updates; i++)
        if (f->updated[i] == package)
            n += f->times[i];
    return n;
}

/* The first third of a style's packages is on every machine; of the rest each machine has its own choice. */
static void rows_software(struct rows *r, const struct profile *p, const struct facts *f)
{
    static const char *const architectures[] = {
        [STYLE_WINDOWS] = "x64", [STYLE_MACOS] = "universal", [STYLE_DEB] = "amd64", [STYLE_RPM] = "x86_64"};
    struct chance c = chance_for(p->seed, p->index, FOR_PACKAGES);
    enum package_style style = p->system->style;
    unsigned common = CATALOGUE_PACKAGES / 6, left = p->n_packages;
    for (unsigned i = 0; i < CATALOGUE_PACKAGES && left; i++) {
        uint64_t draw = chance_next(&c);
        unsigned to_come = CATALOGUE_PACKAGES - i;
        if (i >= common && (unsigned)(draw >> 32 & 0xffff) * to_come >> 16 >= left)
            continue;
        struct catalogue_package k;
        char version[48];
        catalogue_package(style, i, &k);
        int patch = k.patch + (int)(draw & 3) + updates_of(f, i);
        if (style == STYLE_DEB)
            snprintf(version, sizeof(version), "%d.%d.%d-1+deb12u%d", k.major, k.minor, patch,
                     (int)(draw >> 8 & 3) + 1);
        else if (style == STYLE_RPM)
            snprintf(version, sizeof(version), "%d.%d.%d-%d.el9", k.major, k.minor, patch, (int)(draw >> 8 & 7) + 1);
        else
            snprintf(version, sizeof(version), "%d.%d.%d", k.major, k.minor, patch);
        usec_t installed = 1735689600 * USEC_PER_SEC + (usec_t)(draw >> 12 & 0xffffff) * USEC_PER_SEC;
        wire_value_software_encode(row_open(r),
                                   &(struct wire_value_software){.version = slice_of(version),
                                                                 .vendor = slice_of(k.vendor),
                                                                 .architecture = slice_of(architectures[style]),
                                                                 .has_size = true,
                                                                 .size = k.size,
                                                                 .installed_at = installed});
        row_close(r, slice_of(arena_printf(r->a, "%s:%s", k.name, architectures[style])));
        left--;
    }
}

static void rows_users(struct rows *r, const struct profile *p, const struct facts *f)
{
    for (unsigned i = 0; i < p->n_users; i++) {
        if (!(f->users & 1u << i))
            continue;
        wire_value_user_encode(
            row_open(r),
            &(struct wire_value_user){.terminal = i == 0 ? SLICE("console") : SLICE("remote"), .since = f->user_since});
        row_close(r, slice_of(arena_strdup(r->a, p->users[i]))); /* the rows outlive the profile */
    }
}

static void rows_protection(struct rows *r, const struct profile *p, const struct facts *f)
{
    struct slice *folders = ARENA_ARRAY(r->a, struct slice, 2);
    folders[0] = p->system->family == WIRE_OS_FAMILY_WINDOWS ? SLICE("C:\\Users")
                 : p->machine->apple                         ? SLICE("/Users")
                                                             : SLICE("/home");
    folders[1] = p->system->family == WIRE_OS_FAMILY_WINDOWS ? SLICE("D:\\") : SLICE("/srv");
    wire_value_protection_encode(
        row_open(r),
        &(struct wire_value_protection){
            .engine = SLICE("sim-engine"),
            .version = slice_of(arena_printf(r->a, "1.4.%u", f->engine_patch)),
            .signature_version = slice_of(arena_printf(r->a, "%lld", (long long)facts_signature_version(f))),
            .signature_at = f->signature_at,
            .state = f->protection_on ? WIRE_PROTECTION_STATE_ON : WIRE_PROTECTION_STATE_OFF,
            .on_access = f->protection_on,
            .isolated = f->isolated,
            .watched_folders = folders,
            .n_watched_folders = 2});
    row_close(r, SLICE("-"));
}

static void rows_problems(struct rows *r, const struct profile *p, const struct facts *f)
{
    for (enum problem i = 0; i < PROBLEM_KINDS; i++) {
        if (!f->since[i])
            continue;
        struct slice *args = ARENA_ARRAY(r->a, struct slice, 2);
        struct wire_value_problem v = {.severity =
                                           i == PROBLEM_PROTECTION_OFF ? WIRE_SEVERITY_CRITICAL : WIRE_SEVERITY_WARNING,
                                       .since = f->since[i],
                                       .args = args};
        if (i == PROBLEM_MODULES_OUTDATED)
            args[v.n_args++] = slice_of(arena_printf(r->a, "%d", (int)((f->since[i] - f->signature_at) / DAY)));
        if (i == PROBLEM_PROTECTION_OFF)
            args[v.n_args++] = SLICE("switched_off");
        if (i == PROBLEM_DISK_LOW) {
            args[v.n_args++] = slice_of(mount_of(p, 0));
            args[v.n_args++] = slice_of(arena_printf(r->a, "%u", f->free_percent[0]));
        }
        wire_value_problem_encode(row_open(r), &v);
        row_close(r, slice_of(problem_code(i)));
    }
}

static int by_key(const void *a, const void *b)
{
    const struct wire_digest_row *x = a, *y = b;
    return slice_cmp(x->key, y->key);
}

size_t fleet_rows(struct arena *a, const struct profile *p, const struct facts *f, enum wire_fact_kind kind,
                  struct wire_digest_row **ret)
{
    static void (*const makers[])(struct rows *, const struct profile *, const struct facts *) = {
        [WIRE_FACT_KIND_IDENTITY] = rows_identity,     [WIRE_FACT_KIND_OS] = rows_os,
        [WIRE_FACT_KIND_HARDWARE] = rows_hardware,     [WIRE_FACT_KIND_NETWORK] = rows_network,
        [WIRE_FACT_KIND_SOFTWARE] = rows_software,     [WIRE_FACT_KIND_USERS] = rows_users,
        [WIRE_FACT_KIND_PROTECTION] = rows_protection, [WIRE_FACT_KIND_PROBLEMS] = rows_problems};
    struct rows r = {.a = a};
    makers[kind](&r, p, f);
    if (r.n > 1)
        qsort(r.v, r.n, sizeof(*r.v), by_key);
    *ret = r.v;
    return r.n;
}
