/* SPDX-License-Identifier: Apache-2.0 */
/* isolation.c - see isolation.h. The file has lines "tcp|dns ADDRESS PORT". */
#define _GNU_SOURCE
#include "agent/isolation.h"
#include "agent/run.h"
#include "common/file.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define NFT_TIMEOUT_MS 10000
#define FILE_SIZE      16384

static bool is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

bool isolation_add(struct isolation *i, const char *address, int64_t port, enum isolation_kind kind)
{
    uint8_t raw[16];
    char text[46];
    int family = is_v6(address) ? AF_INET6 : AF_INET;
    if (port < 1 || port > 65535 || inet_pton(family, address, raw) != 1 || !inet_ntop(family, raw, text, sizeof(text)))
        return false;
    for (size_t k = 0; k < i->n; k++) {
        if (i->v[k].port == port && i->v[k].kind == kind && strcmp(i->v[k].address, text) == 0)
            return true;
    }
    if (i->n == ISOLATION_MAX)
        return false;
    struct isolation_peer *p = &i->v[i->n++];
    memcpy(p->address, text, sizeof(text));
    p->port = (uint16_t)port;
    p->kind = kind;
    return true;
}

static void write_set(struct strbuf *out, const struct isolation *i, const char *name, enum isolation_kind kind,
                      bool v6)
{
    const char *sep = " elements = { ";
    strbuf_printf(out, "  set %s { type %s . inet_service;", name, v6 ? "ipv6_addr" : "ipv4_addr");
    for (size_t k = 0; k < i->n; k++) {
        if (i->v[k].kind != kind || is_v6(i->v[k].address) != v6)
            continue;
        strbuf_printf(out, "%s%s . %u", sep, i->v[k].address, i->v[k].port);
        sep = ", ";
    }
    strbuf_add_str(out, sep[0] == ',' ? " }\n  }\n" : "\n  }\n");
}

void isolation_rules(struct strbuf *out, const struct isolation *i)
{
    /* Naming the table before deleting it makes the three steps one transaction, whether it exists or not. */
    strbuf_add_str(out, "table inet sekisho_isolation\n"
                        "delete table inet sekisho_isolation\n"
                        "table inet sekisho_isolation {\n"
                        "  counter dropped_in { }\n"
                        "  counter dropped_out { }\n");
    write_set(out, i, "server4", ISOLATION_TCP, false);
    write_set(out, i, "server6", ISOLATION_TCP, true);
    write_set(out, i, "names4", ISOLATION_DNS, false);
    write_set(out, i, "names6", ISOLATION_DNS, true);
    strbuf_add_str(out,
                   "  chain c_in { type filter hook input priority -300; policy drop;\n"
                   "    iif lo accept\n"
                   "    ct state established,related ip saddr . tcp sport @server4 accept\n"
                   "    ct state established,related ip6 saddr . tcp sport @server6 accept\n"
                   "    ct state established,related ip saddr . udp sport @names4 accept\n"
                   "    ct state established,related ip saddr . tcp sport @names4 accept\n"
                   "    ct state established,related ip6 saddr . udp sport @names6 accept\n"
                   "    ct state established,related ip6 saddr . tcp sport @names6 accept\n"
                   "    udp sport 67 udp dport 68 accept\n"
                   "    udp sport 547 udp dport 546 accept\n"
                   "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept\n"
                   "    counter name \"dropped_in\" limit rate 20/second log prefix \"SEKISHO-ISO-IN \" group 7\n"
                   "  }\n"
                   "  chain c_out { type filter hook output priority -300; policy drop;\n"
                   "    oif lo accept\n"
                   "    ip daddr . tcp dport @server4 accept\n"
                   "    ip6 daddr . tcp dport @server6 accept\n"
                   "    ip daddr . udp dport @names4 accept\n"
                   "    ip daddr . tcp dport @names4 accept\n"
                   "    ip6 daddr . udp dport @names6 accept\n"
                   "    ip6 daddr . tcp dport @names6 accept\n"
                   "    udp sport 68 udp dport 67 accept\n"
                   "    udp sport 546 udp dport 547 accept\n"
                   "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept\n"
                   "    counter name \"dropped_out\" limit rate 20/second log prefix \"SEKISHO-ISO-OUT \" group 7\n"
                   "  }\n"
                   "  chain c_fwd { type filter hook forward priority -300; policy drop; }\n"
                   "}\n");
}

static enum rc enter(const char *netns, char *ret_why, size_t why_size)
{
    if (netns[0] == '\0')
        return RC_OK;
    char path[300];
    snprintf(path, sizeof(path), "/run/netns/%s", netns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rc rc = fd >= 0 && setns(fd, CLONE_NEWNET) == 0 ? RC_OK : RC_UNAVAILABLE;
    if (rc != RC_OK)
        snprintf(ret_why, why_size, "network namespace %s: %s", netns, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum rc load(const struct isolation_place *p, struct slice rules, char *ret_why, size_t why_size)
{
    char said[1024];
    int status;
    const char *argv[] = {p->nft, "-f", "-", NULL};
    enum rc rc = enter(p->netns, ret_why, why_size);
    if (rc != RC_OK)
        return rc;
    rc = run_program(argv, NULL, rules, NFT_TIMEOUT_MS, &status, said, sizeof(said));
    if (rc == RC_OK && status == 0)
        return RC_OK;
    struct slice rest = slice_trim(slice_of(said)), line = slice_cut(&rest, '\n');
    if (rc == RC_NOT_FOUND)
        snprintf(ret_why, why_size, "%s is not installed", p->nft);
    else
        snprintf(ret_why, why_size, "nft: " SLICE_FMT, SLICE_ARG(line));
    return rc == RC_OK ? RC_DENIED : RC_UNAVAILABLE;
}

static enum rc load_peers(const struct isolation_place *p, const struct isolation *i, char *ret_why, size_t why_size)
{
    struct strbuf rules;
    strbuf_init(&rules, 64 * 1024);
    isolation_rules(&rules, i);
    enum rc rc = rules.over ? RC_INTERNAL : load(p, strbuf_slice(&rules), ret_why, why_size);
    strbuf_done(&rules);
    return rc;
}

enum rc isolation_begin(const struct isolation_place *p, const struct isolation *i, char *ret_why, size_t why_size)
{
    struct arena *a = arena_new(2 * FILE_SIZE);
    struct strbuf text;
    struct slice before = SLICE_NONE;
    bool again = file_read(a, p->file, FILE_SIZE, &before) == RC_OK;
    strbuf_init_arena(&text, a, FILE_SIZE);
    for (size_t k = 0; k < i->n; k++)
        strbuf_printf(&text, "%s %s %u\n", i->v[k].kind == ISOLATION_DNS ? "dns" : "tcp", i->v[k].address,
                      i->v[k].port);
    enum rc rc = file_write(p->file, strbuf_slice(&text), 0600);
    if (rc != RC_OK) {
        snprintf(ret_why, why_size, "%s: %s", p->file, strerror(errno));
    } else {
        rc = load_peers(p, i, ret_why, why_size);
        if (rc != RC_OK && !again)
            unlink(p->file);
        else if (rc != RC_OK && file_write(p->file, before, 0600) != RC_OK)
            unlink(p->file);
    }
    arena_free(&a);
    return rc;
}

enum rc isolation_end(const struct isolation_place *p, char *ret_why, size_t why_size)
{
    enum rc rc =
        load(p, SLICE("table inet sekisho_isolation\ndelete table inet sekisho_isolation\n"), ret_why, why_size);
    /* The wish goes last: after a crash in between the computer is isolated again, and the order is repeated. */
    if (rc == RC_OK && unlink(p->file) < 0 && errno != ENOENT) {
        snprintf(ret_why, why_size, "%s: %s", p->file, strerror(errno));
        rc = RC_DENIED;
    }
    return rc;
}

static bool parse_line(struct slice line, struct isolation *i)
{
    struct slice kind = slice_cut(&line, ' '), address = slice_cut(&line, ' ');
    char text[46];
    int port;
    bool dns = slice_eq(kind, SLICE("dns"));
    if ((!dns && !slice_eq(kind, SLICE("tcp"))) || address.n >= sizeof(text) || !slice_int(line, 1, 65535, &port))
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    return isolation_add(i, text, port, dns ? ISOLATION_DNS : ISOLATION_TCP);
}

enum rc isolation_resume(const struct isolation_place *p, char *ret_why, size_t why_size)
{
    struct arena *a = arena_new(2 * FILE_SIZE);
    struct slice text;
    struct isolation i = {.n = 0};
    enum rc rc = file_read(a, p->file, FILE_SIZE, &text);
    if (rc == RC_OK) {
        while (text.n > 0) {
            struct slice line = slice_trim(slice_cut(&text, '\n'));
            /* A damaged line opens less, never more. */
            if (line.n > 0 && !parse_line(line, &i))
                snprintf(ret_why, why_size, "a damaged line was left out");
        }
        rc = load_peers(p, &i, ret_why, why_size);
    } else if (rc != RC_NOT_FOUND) {
        snprintf(ret_why, why_size, "%s: %s", p->file, strerror(errno));
    }
    arena_free(&a);
    return rc;
}

bool isolation_wished(const char *file)
{
    return access(file, F_OK) == 0;
}
