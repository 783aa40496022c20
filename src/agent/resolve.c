/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - see resolve.h. */
#include "agent/resolve.h"
#include "common/file.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

static bool numeric(const char *host)
{
    uint8_t raw[16];
    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

bool resolve_split(struct slice s, char host[256], int *ret_port)
{
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || !slice_int(slice_mem(s.p + colon, s.n - colon), 1, 65535, ret_port))
        return false;
    struct slice h = slice_mem(s.p, colon - 1);
    if (h.p[0] == '[' && h.n > 2 && h.p[h.n - 1] == ']')
        h = slice_mem(h.p + 1, h.n - 2);
    if (h.n == 0 || h.n > 255)
        return false;
    memcpy(host, h.p, h.n);
    host[h.n] = '\0';
    return true;
}

void resolve_nameservers(struct isolation *i, struct slice text)
{
    while (text.n > 0) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        char address[64];
        if (!slice_starts(line, SLICE("nameserver")) || line.n < 12)
            continue;
        struct slice a = slice_trim(slice_mem(line.p + 10, line.n - 10));
        if (a.n >= sizeof(address))
            continue;
        memcpy(address, a.p, a.n);
        address[a.n] = '\0';
        isolation_add(i, address, 53, ISOLATION_DNS);
    }
}

bool resolve_in_hosts(struct slice text, const char *name)
{
    while (text.n > 0) {
        struct slice line = slice_cut(&text, '\n'), words = slice_cut(&line, '#');
        bool first = true;
        while (words.n > 0) {
            size_t n = 0;
            while (n < words.n && words.p[n] != ' ' && words.p[n] != '\t' && words.p[n] != '\r')
                n++;
            struct slice word = slice_mem(words.p, n);
            words = n < words.n ? slice_mem(words.p + n + 1, words.n - n - 1) : SLICE_NONE;
            if (word.n > 0 && !first && slice_ieq(word, slice_of(name)))
                return true;
            first = first && word.n == 0;
        }
    }
    return false;
}

static bool look_up(struct isolation *i, const char *host, int port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    bool any = false;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    for (struct addrinfo *f = found; f; f = f->ai_next) {
        char text[64];
        if (getnameinfo(f->ai_addr, f->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        char *zone = strchr(text, '%');
        if (zone)
            *zone = '\0';
        any = isolation_add(i, text, port, ISOLATION_TCP) || any;
    }
    freeaddrinfo(found);
    return any;
}

static void keep_names_open(const struct agent_config *cfg, const char *host, struct isolation *i)
{
    struct arena *a = arena_new(4 * 1024 * 1024);
    struct slice text;
    bool known =
        file_read(a, config_path(cfg, a, "/etc/hosts"), 1024 * 1024, &text) == RC_OK && resolve_in_hosts(text, host);
    if (!known) {
        if (file_read(a, config_path(cfg, a, "/etc/resolv.conf"), 65536, &text) == RC_OK)
            resolve_nameservers(i, text);
        /* a caching resolver on this machine asks these */
        if (file_read(a, config_path(cfg, a, "/run/systemd/resolve/resolv.conf"), 65536, &text) == RC_OK)
            resolve_nameservers(i, text);
    }
    arena_free(&a);
}

enum rc resolve_open_ends(const struct agent_config *cfg, char *const *allow, size_t n_allow, struct isolation *ret,
                          char ret_failed[256])
{
    struct isolation i = {.n = 0};
    char host[256];
    int port = (int)cfg->server_port;
    snprintf(host, sizeof(host), "%s", cfg->server_host);
    if (cfg->proxy[0]) {
        struct slice p = slice_of(cfg->proxy);
        if (slice_starts(p, SLICE("http://")))
            p = slice_mem(p.p + 7, p.n - 7);
        if (slice_ends(p, SLICE("/")))
            p.n--;
        if (!resolve_split(p, host, &port)) {
            snprintf(ret_failed, 256, "%.255s", cfg->proxy);
            return RC_UNAVAILABLE;
        }
    }
    if (!look_up(&i, host, port)) {
        snprintf(ret_failed, 256, "%s", host);
        return RC_UNAVAILABLE;
    }
    if (!numeric(host))
        keep_names_open(cfg, host, &i);
    for (size_t k = 0; k < n_allow; k++) {
        if (!resolve_split(slice_of(allow[k]), host, &port) || !look_up(&i, host, port)) {
            snprintf(ret_failed, 256, "%.255s", allow[k]);
            return RC_UNAVAILABLE;
        }
    }
    *ret = i;
    return RC_OK;
}
