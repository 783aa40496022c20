/* SPDX-License-Identifier: Apache-2.0 */
/* hardware.c - machine, disks and local filesystems. A machine without DMI (many virtual ones) has empty names. */
#include "agent/facts/facts.h"
#include "common/map.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MOUNTS_MAX 64

static void add_machine(const struct agent_config *cfg, struct arena *a, struct fact_rows *ret)
{
    struct wire_value_machine v = {0};
    v.vendor = fact_text(a, fact_file(cfg, a, "/sys/class/dmi/id/sys_vendor", 4096), 100);
    v.model = fact_text(a, fact_file(cfg, a, "/sys/class/dmi/id/product_name", 4096), 100);
    v.serial = fact_text(a, fact_file(cfg, a, "/sys/class/dmi/id/product_serial", 4096), 100);
    struct slice text = fact_file(cfg, a, "/proc/cpuinfo", 4 << 20);
    while (text.n) {
        struct slice value = slice_cut(&text, '\n');
        struct slice name = slice_trim(slice_cut(&value, ':'));
        if (slice_eq(name, SLICE("processor")))
            v.cpu_cores++;
        if (v.cpu.n == 0 && (slice_eq(name, SLICE("model name")) || slice_eq(name, SLICE("Model"))))
            v.cpu = fact_text(a, value, 200);
    }
    v.has_cpu_cores = v.cpu_cores > 0;
    text = fact_file(cfg, a, "/proc/meminfo", 65536);
    while (text.n) {
        struct slice line = slice_cut(&text, '\n');
        if (!slice_starts(line, SLICE("MemTotal:")))
            continue;
        struct slice rest = slice_trim((struct slice){line.p + 9, line.n - 9});
        uint64_t kib;
        v.has_memory = slice_u64(slice_cut(&rest, ' '), &kib) && kib < (UINT64_C(1) << 42);
        v.memory = v.has_memory ? (int64_t)kib * 1024 : 0;
    }
    struct strbuf b;
    strbuf_init_arena(&b, a, FACT_VALUE_MAX);
    struct json_writer w;
    json_start(&w, &b);
    wire_value_machine_encode(&w, &v);
    fact_add(ret, SLICE("machine"), &b);
}

static void add_disks(const struct agent_config *cfg, struct arena *a, struct fact_rows *ret)
{
    DIR *d = opendir(config_path(cfg, a, "/sys/block"));
    struct dirent *e;
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        /* only what is a device: not loop, ram, device mapper */
        struct stat st;
        if (stat(config_path(cfg, a, arena_printf(a, "/sys/block/%s/device", e->d_name)), &st) < 0)
            continue;
        uint64_t sectors;
        if (!slice_u64(fact_file(cfg, a, arena_printf(a, "/sys/block/%s/size", e->d_name), 4096), &sectors) ||
            sectors == 0 || sectors >= (UINT64_C(1) << 44))
            continue;
        struct wire_value_disk v = {.size = (int64_t)sectors * 512};
        v.model = fact_text(a, fact_file(cfg, a, arena_printf(a, "/sys/block/%s/device/model", e->d_name), 4096), 100);
        struct strbuf b;
        strbuf_init_arena(&b, a, FACT_VALUE_MAX);
        struct json_writer w;
        json_start(&w, &b);
        wire_value_disk_encode(&w, &v);
        fact_add(ret, slice_of(arena_printf(a, "disk:%s", e->d_name)), &b);
    }
    if (d)
        closedir(d);
}

/* Only these are asked for their size: asking a network filesystem can block for ever. */
static bool local_type(struct slice type)
{
    static const char *const types[] = {"ext2", "ext3", "ext4",  "xfs",   "btrfs", "f2fs",  "jfs",      "reiserfs",
                                        "zfs",  "vfat", "msdos", "exfat", "ntfs",  "ntfs3", "bcachefs", "overlay"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_eq(type, slice_of(types[i])))
            return true;
    return false;
}

/* \040 and its like, as the kernel writes blanks in mount points. */
static const char *unescape(struct arena *a, struct slice s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3' && s.p[i + 2] >= '0' &&
            s.p[i + 2] <= '7' && s.p[i + 3] >= '0' && s.p[i + 3] <= '7') {
            out[n++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
            i += 3;
        } else {
            out[n++] = s.p[i];
        }
    }
    out[n] = '\0';
    return out;
}

size_t facts_filesystems(const struct agent_config *cfg, struct arena *a, struct facts_filesystem **ret)
{
    struct facts_filesystem *list = ARENA_ARRAY(a, struct facts_filesystem, MOUNTS_MAX);
    size_t n = 0;
    struct map *seen = map_new(0);
    struct slice text = fact_file(cfg, a, "/proc/self/mounts", 1 << 20);
    while (text.n && n < MOUNTS_MAX) {
        struct slice line = slice_cut(&text, '\n');
        struct slice device = slice_cut(&line, ' '), mount = slice_cut(&line, ' '), type = slice_cut(&line, ' ');
        if (!local_type(type) || mount.n == 0 || mount.n > 250)
            continue;
        bool overlay = slice_eq(type, SLICE("overlay"));
        if (overlay && !slice_eq(mount, SLICE("/")))
            continue; /* the other ones belong to containers */
        if (map_put(seen, device, ret))
            continue; /* bind mounts and subvolumes: once is enough */
        struct statvfs st;
        const char *path = unescape(a, mount);
        if (statvfs(config_path(cfg, a, path), &st) < 0 || st.f_blocks == 0)
            continue;
        list[n++] = (struct facts_filesystem){.mount = path,
                                              .type = arena_cstr(a, type),
                                              .size = (uint64_t)st.f_blocks * st.f_frsize,
                                              .free = (uint64_t)st.f_bavail * st.f_frsize};
    }
    map_free(&seen, NULL);
    *ret = list;
    return n;
}

void facts_hardware(const struct agent_config *cfg, struct fact_rows *ret)
{
    struct arena *a = arena_new(16 << 20);
    add_machine(cfg, a, ret);
    add_disks(cfg, a, ret);
    struct facts_filesystem *list;
    size_t n = facts_filesystems(cfg, a, &list);
    for (size_t i = 0; i < n; i++) {
        /* Steps of one percent: free space always moves a little, and each step costs a change at the server. */
        uint64_t step = list[i].size / 100, percent = step ? list[i].free / step : 0;
        struct wire_value_filesystem v = {.type = slice_of(list[i].type),
                                          .size = (int64_t)list[i].size,
                                          .free = (int64_t)(step * (percent > 100 ? 100 : percent))};
        struct strbuf b;
        strbuf_init_arena(&b, a, FACT_VALUE_MAX);
        struct json_writer w;
        json_start(&w, &b);
        wire_value_filesystem_encode(&w, &v);
        struct slice mount = fact_text(a, slice_of(list[i].mount), 250);
        fact_add(ret, slice_of(arena_printf(a, "fs:" SLICE_FMT, SLICE_ARG(mount))), &b);
    }
    arena_free(&a);
}
