/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - the verb `doctor`: walks the way to the server step by step and says, at the first step that fails, what
 * has to be opened or mended. Uses plain blocking sockets; changes nothing. */
#include "agent/agent.h"
#include "common/json.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 8000

struct doctor {
    const struct agent_config *cfg;
    struct arena *a;
    bool json;
    struct strbuf out;
    struct json_writer w;
    int failed;
};

static void say(struct doctor *d, const char *check, bool ok, const char *text, const char *advice)
{
    d->failed += !ok;
    if (d->json) {
        json_object_open(&d->w);
        json_key(&d->w, "check");
        json_str(&d->w, slice_of(check));
        json_key(&d->w, "ok");
        json_bool(&d->w, ok);
        json_key(&d->w, "text");
        json_str(&d->w, slice_of(text));
        if (!ok && advice[0]) {
            json_key(&d->w, "advice");
            json_str(&d->w, slice_of(advice));
        }
        json_object_close(&d->w);
        return;
    }
    printf("%s %-12s %s\n", ok ? "ok  " : "FAIL", check, text);
    if (!ok && advice[0])
        printf("                  -> %s\n", advice);
}

/* --- sockets */

static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    while ((n = poll(&p, 1, WAIT_MS)) < 0 && errno == EINTR)
        ;
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

static int connect_to(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    socklen_t n = sizeof(error);
    bool ok = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;
    if (!ok && errno == EINPROGRESS && wait_for(fd, POLLOUT)) {
        ok = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
        if (error)
            errno = error;
    }
    if (!ok) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

static const char *address_text(struct doctor *d, const struct addrinfo *ai)
{
    char text[NI_MAXHOST];
    return getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0
               ? arena_strdup(d->a, text)
               : "?";
}

/* Name, then connection; -1 after having said what failed. */
static int reach(struct doctor *d, const char *what, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        say(d, "name", false, arena_printf(d->a, "%s %s has no address: %s", what, host, gai_strerror(rc)),
            arena_printf(d->a, "check the spelling in agent.conf and that DNS answers for %s", host));
        return -1;
    }
    struct strbuf all;
    strbuf_init_arena(&all, d->a, 1024);
    int fd = -1, error = 0;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        strbuf_printf(&all, "%s%s", all.n ? ", " : "", address_text(d, ai));
        if (fd < 0 && (fd = connect_to(ai)) < 0)
            error = errno;
    }
    say(d, "name", true, arena_printf(d->a, "%s %s is %s", what, host, all.p ? all.p : ""), "");
    freeaddrinfo(list);
    say(d, "connection", fd >= 0,
        fd >= 0 ? arena_printf(d->a, "TCP to %s port %s works", host, port)
                : arena_printf(d->a, "TCP to %s port %s fails: %s", host, port, strerror(error)),
        error == ECONNREFUSED
            ? arena_printf(d->a, "nothing listens on %s:%s, or a firewall rejects it: open outgoing TCP %s to %s", host,
                           port, port, host)
            : arena_printf(d->a, "open outgoing TCP %s to %s in the firewall", port, host));
    return fd;
}

static bool ask_proxy(struct doctor *d, int fd)
{
    const char *to = arena_printf(d->a, "%s:%" PRId64, d->cfg->server_host, d->cfg->server_port);
    const char *request = arena_printf(d->a, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to);
    char answer[2048];
    size_t n = 0;
    bool whole = false;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        while (n + 1 < sizeof(answer) && !whole) {
            ssize_t did = recv(fd, answer + n, 1, 0); /* not a byte beyond the header: what follows is TLS */
            if (did <= 0)
                break;
            n += (size_t)did;
            answer[n] = '\0';
            whole = n >= 4 && memcmp(answer + n - 4, "\r\n\r\n", 4) == 0;
        }
    answer[n] = '\0';
    struct slice rest = {answer, n}, line = slice_trim(slice_cut(&rest, '\n')), status = line;
    slice_cut(&status, ' ');
    struct slice code = slice_cut(&status, ' ');
    int number = 0;
    bool ok = whole && slice_int(code, 100, 599, &number) && number / 100 == 2;
    const char *advice = "the address in agent.conf is not that of an HTTP proxy";
    if (number == 407)
        advice = "the proxy wants a sign-in, which the agent does not do: let CONNECT to the server pass without";
    else if (number)
        advice = arena_printf(d->a, "allow CONNECT to %s in the proxy", to);
    say(d, "proxy", ok,
        ok ? arena_printf(d->a, "CONNECT to %s works", to)
           : arena_printf(d->a, "CONNECT to %s fails: " SLICE_FMT, to, SLICE_ARG(line)),
        advice);
    return ok;
}

/* --- checks */

static void check_identity(struct doctor *d, struct agent_state *s)
{
    char why[300], id[UUID_TEXT_SIZE], until[CLOCK_RFC3339_SIZE];
    if (state_load(d->cfg, s, why, sizeof(why)) != RC_OK) {
        say(d, "identity", false, why, "run it as root or as the agent's user");
        return;
    }
    if (!state_enrolled(s)) {
        say(d, "identity", false, why[0] ? why : "this device is not enrolled",
            "set token in agent.conf, or run `sekisho-agent enrol --token TOKEN`");
        return;
    }
    bool valid = clock_now() < s->not_after;
    say(d, "identity", valid,
        arena_printf(d->a, "device %s of %s, certificate until %s", uuid_text(s->device_id, id), s->tenant,
                     clock_rfc3339(s->not_after, until)),
        "the certificate has expired; the agent renews it when it has contact");
    if (s->stopped[0])
        say(d, "contact", false, arena_printf(d->a, "the server has ended contact: %s", s->stopped),
            "enrol the device again when that was not intended");
}

static void check_tls(struct doctor *d, int fd, const struct agent_state *s)
{
    struct tls_client *t;
    struct tls_probe p;
    char why[300], from[CLOCK_RFC3339_SIZE], until[CLOCK_RFC3339_SIZE], now[CLOCK_RFC3339_SIZE];
    if (tls_client_new(d->cfg->ca_file, s->certificate_pem, s->key_pem, &t, why, sizeof(why)) != RC_OK) {
        say(d, "authority", false, why, "take the file from the installer again");
        return;
    }
    tls_probe(t, fd, d->cfg->server_host, &p);
    tls_client_free(&t);
    if (!p.shook_hands) {
        say(d, "tls", false, arena_printf(d->a, "the TLS handshake fails: %s", p.error),
            "something on the way does not let TLS pass, or another service has this port");
        return;
    }
    switch (p.trouble) {
    case TLS_UNTRUSTED:
        say(d, "tls", false,
            arena_printf(d->a, "the certificate shown (%s) was signed by %s, not by the pinned authority",
                         p.subject[0] ? p.subject : "?", p.signer),
            arena_printf(d->a, "TLS is intercepted on the way: exclude %s:%" PRId64 " from inspection",
                         d->cfg->server_host, d->cfg->server_port));
        return;
    case TLS_NAME:
        say(d, "tls", false,
            arena_printf(d->a, "the certificate shown (%s) is for another name than %s", p.subject,
                         d->cfg->server_host),
            "server_host in agent.conf must be the name in the installer");
        return;
    case TLS_CLOCK:
        say(d, "clock", false,
            arena_printf(d->a, "the server's certificate is valid from %s to %s, and here it is %s",
                         clock_rfc3339(p.not_before, from), clock_rfc3339(p.not_after, until),
                         clock_rfc3339(clock_now(), now)),
            "set this computer's clock; the agent helps itself with the server's signed time once it is enrolled");
        return;
    case TLS_FINE:
        break;
    }
    say(d, "tls", true,
        arena_printf(d->a, "%s, %s, signed by the pinned authority", p.protocol, p.alpn[0] ? p.alpn : "no ALPN"), "");
}

struct time_check {
    bool done;
    struct http_answer answer;
    struct wire_time_response r;
    struct arena *a;
    bool good;
};

static void timed(void *ctx, const struct http_answer *answer)
{
    struct time_check *t = ctx;
    struct decode_error err;
    t->done = true;
    t->good = answer->trouble == HTTP_FINE && answer->status == 200 &&
              wire_time_response_parse(t->a, answer->body, &t->r, &err) == RC_OK;
}

/* The whole way, as the agent goes it, and the server's clock. */
static void check_time(struct doctor *d, const struct agent_state *s)
{
    struct tls_client *t;
    char why[300];
    if (tls_client_new(d->cfg->ca_file, s->certificate_pem, s->key_pem, &t, why, sizeof(why)) != RC_OK)
        return;
    struct http *h = http_new(d->cfg, t);
    struct time_check check = {.a = d->a};
    http_get(h, "/agent/v1/time", WAIT_MS / 1000, timed, &check);
    for (uint64_t end = ms_now() + WAIT_MS + 2000; !check.done && ms_now() < end;) {
        http_wait(h, NULL, 0, 500);
        http_dispatch(h);
    }
    if (!check.good) {
        say(d, "server", false, "the server does not answer over the connection",
            "look at the server's /readyz, or for another service on this port");
    } else {
        say(d, "server", true, "the server answers", "");
        int64_t skew = (check.r.at - clock_now()) / USEC_PER_SEC;
        bool fine = skew < 300 && skew > -300;
        say(d, "clock", fine,
            arena_printf(d->a, "this computer's clock differs by %" PRId64 " s from the server's", -skew),
            "set this computer's clock");
    }
    http_free(&h);
    tls_client_free(&t);
}

static void check_engine(struct doctor *d)
{
    struct slice path = slice_of(d->cfg->clamd_socket);
    say(d, "engine", access(d->cfg->clamd_socket, R_OK | W_OK) == 0,
        arena_printf(d->a, "socket of the protection engine " SLICE_FMT, SLICE_ARG(path)),
        "start clamd, or set clamd_socket in agent.conf");
}

int doctor_run(const struct agent_config *cfg, bool json)
{
    struct doctor d = {.cfg = cfg, .a = arena_new(16 << 20), .json = json};
    struct agent_state s = {0};
    strbuf_init(&d.out, 256 * 1024);
    json_start(&d.w, &d.out);
    if (json)
        json_array_open(&d.w);
    check_identity(&d, &s);
    const char *port = arena_printf(d.a, "%" PRId64, cfg->server_port), *host = cfg->server_host;
    int fd;
    if (cfg->proxy[0]) {
        struct slice rest = slice_of(cfg->proxy + strlen("http://"));
        rest = slice_cut(&rest, '/');
        struct slice name = slice_cut(&rest, ':');
        fd = reach(&d, "proxy", arena_cstr(d.a, name), rest.n ? arena_cstr(d.a, rest) : "1080");
        if (fd >= 0 && !ask_proxy(&d, fd)) {
            close(fd);
            fd = -1;
        }
    } else {
        fd = reach(&d, "server", host, port);
    }
    if (fd >= 0) {
        int before = d.failed;
        check_tls(&d, fd, &s);
        close(fd);
        if (d.failed == before)
            check_time(&d, &s);
    }
    check_engine(&d);
    if (json) {
        json_array_close(&d.w);
        printf("%.*s\n", (int)d.out.n, d.out.p);
    }
    strbuf_done(&d.out);
    state_done(&s);
    arena_free(&d.a);
    return d.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
