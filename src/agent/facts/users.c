/* SPDX-License-Identifier: Apache-2.0 */
/* users.c - people who are signed in, from utmp. A user with several sessions is one row: the oldest session. */
#include "agent/facts/facts.h"
#include "common/strbuf.h"
#include <sys/stat.h>
#include <utmp.h>

#define USERS_MAX 128
#define UTMP_MAX  (1 << 20)

struct person {
    struct slice name;
    struct slice terminal;
    usec_t since;
};

static const char *const places[] = {"/run/utmp", "/var/run/utmp"};

static struct slice field(struct arena *a, const char *p, size_t n)
{
    return arena_copy(a, (struct slice){p, strnlen(p, n)});
}

/* fact_file would trim bytes off: records are binary. */
static struct slice read_utmp(const struct agent_config *cfg, struct arena *a)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        FILE *f = fopen(config_path(cfg, a, places[i]), "re");
        if (!f)
            continue;
        char *p = arena_alloc(a, UTMP_MAX);
        size_t n = fread(p, 1, UTMP_MAX, f);
        fclose(f);
        return (struct slice){p, n};
    }
    return SLICE_NONE;
}

void facts_users(const struct agent_config *cfg, struct fact_rows *ret)
{
    struct arena *a = arena_new(4 << 20);
    struct person *list = ARENA_ARRAY(a, struct person, USERS_MAX);
    size_t n = 0;
    struct slice text = read_utmp(cfg, a);
    for (; text.n >= sizeof(struct utmp); text.p += sizeof(struct utmp), text.n -= sizeof(struct utmp)) {
        struct utmp u;
        memcpy(&u, text.p, sizeof(u));
        if (u.ut_type != USER_PROCESS)
            continue;
        struct person p = {.name = fact_text(a, field(a, u.ut_user, sizeof(u.ut_user)), 100),
                           .terminal = fact_text(a, field(a, u.ut_line, sizeof(u.ut_line)), 64),
                           .since = (usec_t)u.ut_tv.tv_sec * USEC_PER_SEC};
        size_t i = 0;
        while (i < n && !slice_eq(list[i].name, p.name))
            i++;
        if (p.name.n == 0 || i == USERS_MAX)
            continue;
        if (i == n)
            list[n++] = p;
        else if (p.since < list[i].since)
            list[i] = p;
    }
    for (size_t i = 0; i < n; i++) {
        struct wire_value_user v = {.terminal = list[i].terminal, .since = list[i].since};
        struct strbuf b;
        strbuf_init_arena(&b, a, FACT_VALUE_MAX);
        struct json_writer w;
        json_start(&w, &b);
        wire_value_user_encode(&w, &v);
        fact_add(ret, list[i].name, &b);
    }
    arena_free(&a);
}

uint64_t facts_users_stamp(const struct agent_config *cfg)
{
    struct arena *a = arena_new(16384);
    struct stat st;
    uint64_t stamp = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !stamp; i++)
        if (stat(config_path(cfg, a, places[i]), &st) == 0)
            stamp = (uint64_t)st.st_mtim.tv_sec * 1000003 + (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_size;
    arena_free(&a);
    return stamp;
}
