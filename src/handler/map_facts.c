/* SPDX-License-Identifier: Apache-2.0 */
/* map_facts.c - one small function per kind of row. Values were checked when they came (domain/checkin.c); one that an
 * older version stored differently is left out. Lists stop at what the contract allows. */
#include "handler/map_facts.h"
#include "wire/agent.gen.h"

enum { LIST_MAX = 64 };

/* Keys are longer in the agents' contract than names in the console's. */
static struct slice head(struct slice s, size_t characters)
{
    size_t at = 0;
    while (at < s.n && characters > 0) {
        size_t n = slice_utf8_at(s, at);
        at += n ? n : 1;
        characters--;
    }
    return slice_mem(s.p, at < s.n ? at : s.n);
}

static struct slice after_colon(struct slice key)
{
    struct slice rest = key;
    (void)slice_cut(&rest, ':');
    return rest;
}

static void identity(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_identity v;
    struct decode_error e;
    if (wire_value_identity_parse(a, row->value, &v, &e) == RC_OK && v.fqdn.p)
        d->fqdn = v.fqdn;
}

static void os(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_os v;
    struct decode_error e;
    if (wire_value_os_parse(a, row->value, &v, &e) != RC_OK)
        return;
    d->kernel = v.kernel;
    d->architecture = v.architecture;
    d->time_zone = v.time_zone;
    d->locale = v.locale;
    d->boot_at = v.boot_at;
}

static void machine(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_machine v;
    struct decode_error e;
    if (wire_value_machine_parse(a, row->value, &v, &e) != RC_OK)
        return;
    d->vendor = v.vendor;
    d->model = v.model;
    d->serial = v.serial;
    d->cpu = v.cpu;
    d->has_cpu_cores = v.has_cpu_cores;
    d->cpu_cores = v.cpu_cores;
    d->has_memory_bytes = v.has_memory;
    d->memory_bytes = v.memory;
}

static void disk(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_disk v;
    struct decode_error e;
    if (d->n_disks < LIST_MAX && wire_value_disk_parse(a, row->value, &v, &e) == RC_OK)
        d->disks[d->n_disks++] =
            (struct api_disk){.name = head(after_colon(row->key), 100), .model = v.model, .size_bytes = v.size};
}

static void filesystem(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_filesystem v;
    struct decode_error e;
    if (d->n_filesystems < LIST_MAX && wire_value_filesystem_parse(a, row->value, &v, &e) == RC_OK)
        d->filesystems[d->n_filesystems++] = (struct api_filesystem){
            .mount = head(after_colon(row->key), 255), .type = v.type, .size_bytes = v.size, .free_bytes = v.free};
}

static void hardware(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    if (slice_starts(row->key, SLICE("disk:")))
        disk(a, row, d);
    else if (slice_starts(row->key, SLICE("fs:")))
        filesystem(a, row, d);
    else
        machine(a, row, d);
}

static void network(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    struct wire_value_adapter v;
    struct decode_error e;
    if (d->n_adapters >= LIST_MAX || wire_value_adapter_parse(a, row->value, &v, &e) != RC_OK)
        return;
    d->adapters[d->n_adapters++] = (struct api_adapter){.name = head(row->key, 64),
                                                        .mac = v.mac,
                                                        .addresses = v.addresses,
                                                        .n_addresses = v.n_addresses,
                                                        .state = v.state,
                                                        .has_speed_mbps = v.has_speed,
                                                        .speed_mbps = v.speed};
    for (size_t i = 0; i < v.n_addresses && d->n_addresses < LIST_MAX; i++)
        d->addresses[d->n_addresses++] = v.addresses[i];
}

static void users(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    (void)a;
    if (d->n_users < LIST_MAX)
        d->users[d->n_users++] = head(row->key, 100);
}

static void protection(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    static const enum api_engine_protection states[] = {[WIRE_PROTECTION_STATE_UNKNOWN] = API_ENGINE_PROTECTION_UNKNOWN,
                                                        [WIRE_PROTECTION_STATE_ON] = API_ENGINE_PROTECTION_ON,
                                                        [WIRE_PROTECTION_STATE_DETECT_ONLY] =
                                                            API_ENGINE_PROTECTION_DETECT_ONLY,
                                                        [WIRE_PROTECTION_STATE_OFF] = API_ENGINE_PROTECTION_OFF};
    struct wire_value_protection v;
    struct decode_error e;
    if (wire_value_protection_parse(a, row->value, &v, &e) != RC_OK)
        return;
    d->engine = (struct api_engine){.name = v.engine,
                                    .version = v.version,
                                    .signature_version = v.signature_version,
                                    .signature_at = v.signature_at,
                                    .protection = states[v.state],
                                    .on_access = v.on_access,
                                    .watched_folders = v.watched_folders,
                                    .n_watched_folders = v.n_watched_folders};
}

static void problem(struct arena *a, const struct fact_row *row, struct api_device_detail *d)
{
    static const enum api_severity severities[] = {[WIRE_SEVERITY_UNKNOWN] = API_SEVERITY_INFO,
                                                   [WIRE_SEVERITY_INFO] = API_SEVERITY_INFO,
                                                   [WIRE_SEVERITY_WARNING] = API_SEVERITY_WARNING,
                                                   [WIRE_SEVERITY_CRITICAL] = API_SEVERITY_CRITICAL};
    struct wire_value_problem v;
    struct decode_error e;
    if (d->n_problem_list < LIST_MAX && wire_value_problem_parse(a, row->value, &v, &e) == RC_OK)
        d->problem_list[d->n_problem_list++] = (struct api_problem_item){.code = head(row->key, 64),
                                                                         .severity = severities[v.severity],
                                                                         .since = v.since,
                                                                         .args = v.args,
                                                                         .n_args = v.n_args};
}

static const struct {
    struct slice kind;
    void (*map)(struct arena *a, const struct fact_row *row, struct api_device_detail *d);
} kinds[] = {
    {{"identity", 8}, identity},      {{"os", 2}, os},       {{"hardware", 8}, hardware},
    {{"network", 7}, network},        {{"users", 5}, users}, {{"problems", 8}, problem},
    {{"protection", 10}, protection},
};

void map_facts(struct arena *a, const struct fact_row *rows, size_t n, struct api_device_detail *ret)
{
    ret->addresses = ARENA_ARRAY(a, struct slice, LIST_MAX);
    ret->users = ARENA_ARRAY(a, struct slice, LIST_MAX);
    ret->disks = ARENA_ARRAY(a, struct api_disk, LIST_MAX);
    ret->filesystems = ARENA_ARRAY(a, struct api_filesystem, LIST_MAX);
    ret->adapters = ARENA_ARRAY(a, struct api_adapter, LIST_MAX);
    ret->problem_list = ARENA_ARRAY(a, struct api_problem_item, LIST_MAX);
    ret->engine = (struct api_engine){.name = SLICE(""), .protection = API_ENGINE_PROTECTION_UNKNOWN};
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (slice_eq(rows[i].kind, kinds[k].kind))
                kinds[k].map(a, &rows[i], ret);
        }
    }
}

void map_software(struct arena *a, const struct fact_row *row, struct api_software *ret)
{
    struct wire_value_software v = {0};
    struct decode_error e;
    struct slice rest = row->key;
    ret->name = head(slice_cut(&rest, ':'), 200); /* name:architecture */
    if (wire_value_software_parse(a, row->value, &v, &e) != RC_OK)
        v.version = SLICE("");
    ret->version = v.version;
    ret->vendor = v.vendor;
    ret->architecture = v.architecture;
    ret->has_size_bytes = v.has_size;
    ret->size_bytes = v.size;
    ret->installed_at = v.installed_at;
}
