/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - adapters. Addresses come from the kernel; under another root from the file /run/ifaddrs there (lines
 * "adapter address"), since no file of the kernel names an adapter's IPv4 addresses. */
#include "agent/facts/facts.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>

#define ADAPTERS_MAX  64
#define ADDRESSES_MAX 32

struct adapter {
    const char *name;
    struct slice addresses[ADDRESSES_MAX];
    size_t n;
};

static void add_address(struct arena *a, struct adapter *list, size_t n, const char *name, struct slice address)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0 && list[i].n < ADDRESSES_MAX)
            list[i].addresses[list[i].n++] = fact_text(a, arena_copy(a, address), 64);
}

static void addresses_of_file(const struct agent_config *cfg, struct arena *a, struct adapter *list, size_t n)
{
    struct slice text = fact_file(cfg, a, "/run/ifaddrs", 65536);
    while (text.n) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        struct slice name = slice_cut(&line, ' ');
        if (name.n && line.n)
            add_address(a, list, n, arena_cstr(a, name), slice_trim(line));
    }
}

static void addresses_of_kernel(struct arena *a, struct adapter *list, size_t n)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        char text[INET6_ADDRSTRLEN];
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in in;
            memcpy(&in, i->ifa_addr, sizeof(in));
            inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            struct sockaddr_in6 in6;
            memcpy(&in6, i->ifa_addr, sizeof(in6));
            if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr))
                continue; /* says nothing about where the machine can be reached */
            inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
        } else {
            continue;
        }
        add_address(a, list, n, i->ifa_name, slice_of(text));
    }
    freeifaddrs(all);
}

static int compare_slices(const void *x, const void *y)
{
    const struct slice *a = x, *b = y;
    return slice_cmp(*a, *b);
}

void facts_network(const struct agent_config *cfg, struct fact_rows *ret)
{
    struct arena *a = arena_new(8 << 20);
    struct adapter *list = ARENA_ARRAY(a, struct adapter, ADAPTERS_MAX);
    size_t n = 0;
    DIR *d = opendir(config_path(cfg, a, "/sys/class/net"));
    struct dirent *e;
    while (d && n < ADAPTERS_MAX && (e = readdir(d)))
        if (e->d_name[0] != '.' && strcmp(e->d_name, "lo") != 0 && strcmp(e->d_name, "bonding_masters") != 0)
            list[n++].name = arena_strdup(a, e->d_name);
    if (d)
        closedir(d);
    if (strcmp(cfg->root, "/") == 0)
        addresses_of_kernel(a, list, n);
    else
        addresses_of_file(cfg, a, list, n);

    for (size_t i = 0; i < n; i++) {
        struct wire_value_adapter v = {0};
        const char *base = arena_printf(a, "/sys/class/net/%s", list[i].name);
        v.mac = fact_text(a, fact_file(cfg, a, arena_printf(a, "%s/address", base), 4096), 64);
        if (slice_eq(v.mac, SLICE("00:00:00:00:00:00")))
            v.mac = SLICE_NONE;
        v.state = fact_text(a, fact_file(cfg, a, arena_printf(a, "%s/operstate", base), 4096), 20);
        uint64_t speed; /* an adapter that is down or virtual gives an error or -1 */
        v.has_speed =
            slice_u64(fact_file(cfg, a, arena_printf(a, "%s/speed", base), 4096), &speed) && speed <= 10000000;
        v.speed = v.has_speed ? (int64_t)speed : 0;
        qsort(list[i].addresses, list[i].n, sizeof(list[i].addresses[0]), compare_slices);
        v.addresses = list[i].addresses;
        v.n_addresses = list[i].n;
        struct strbuf b;
        strbuf_init_arena(&b, a, FACT_VALUE_MAX);
        struct json_writer w;
        json_start(&w, &b);
        wire_value_adapter_encode(&w, &v);
        fact_add(ret, fact_text(a, slice_of(list[i].name), FACT_KEY_MAX), &b);
    }
    arena_free(&a);
}
