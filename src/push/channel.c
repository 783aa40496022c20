/* SPDX-License-Identifier: Apache-2.0 */
/* channel.c - writes and reads the lines; every line begins with the sender's own id, whose echo is dropped. */
#include "push/channel.h"
#include "cache/cache.h"
#include "common/event.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define CHANNEL_NAME "sekisho:push"

static char self[UUID_TEXT_SIZE];
static void (*on_wake)(struct uuid, int64_t);
static void (*on_cut)(struct uuid);
static void (*on_live)(int, int);
static void (*on_missed)(void);
static atomic_bool echoed;

static void received(struct slice line, void *arg)
{
    (void)arg;
    struct slice from = slice_cut(&line, ' '), verb = slice_cut(&line, ' '), subject = slice_cut(&line, ' ');
    if (slice_eq(from, slice_of(self))) {
        if (slice_eq(verb, SLICE("beat")))
            atomic_store(&echoed, true);
        return;
    }
    if (slice_eq(verb, SLICE("missed")) && on_missed)
        on_missed();
    struct uuid device;
    int64_t number;
    int tenant_no;
    if (slice_eq(verb, SLICE("wake")) && uuid_parse(subject, &device) && slice_i64(line, &number) && on_wake)
        on_wake(device, number);
    else if (slice_eq(verb, SLICE("cut")) && uuid_parse(subject, &device) && on_cut)
        on_cut(device);
    else if (slice_eq(verb, SLICE("live")) && slice_int(subject, 1, INT32_MAX, &tenant_no) &&
             slice_i64(line, &number) && on_live)
        on_live(tenant_no, (int)number);
}

void channel_start(const char *replica)
{
    (void)replica; /* a process that restarts under the same name is another sender */
    uuid_text(uuid_new(), self);
    cache_subscribe(CHANNEL_NAME, received, NULL);
}

void channel_stop(void)
{
    on_wake = NULL;
    on_cut = NULL;
    on_live = NULL;
    on_missed = NULL;
}

static void send_line(const char *verb, const char *subject, int64_t number)
{
    char line[160];
    int n = snprintf(line, sizeof line, "%s %s %s %" PRId64, self, verb, subject, number);
    cache_publish(CHANNEL_NAME, slice_mem(line, (size_t)n));
}

void channel_send_wake(struct uuid device, int64_t revision)
{
    char text[UUID_TEXT_SIZE];
    send_line("wake", uuid_text(device, text), revision);
}

void channel_send_cut(struct uuid device)
{
    char text[UUID_TEXT_SIZE];
    send_line("cut", uuid_text(device, text), 0);
}

void channel_send_live(int tenant_no, int topic)
{
    char text[16];
    snprintf(text, sizeof text, "%d", tenant_no);
    send_line("live", text, topic);
}

void channel_on_wake(void (*fn)(struct uuid, int64_t))
{
    on_wake = fn;
}

void channel_on_cut(void (*fn)(struct uuid))
{
    on_cut = fn;
}

void channel_on_live(void (*fn)(int, int))
{
    on_live = fn;
}

void channel_on_missed(void (*fn)(void))
{
    on_missed = fn;
}

/* The way of a hint from end to end: a connection that is open and dead looks well from both of its ends. */
bool channel_beat(void)
{
    static bool well = true;
    bool came_back = atomic_exchange(&echoed, false);
    if (came_back && !well) {
        ev_info(AREA_CACHE, "hints get through again");
        send_line("missed", "-", 0);
        if (on_missed)
            on_missed();
    }
    well = came_back;
    send_line("beat", "-", 0);
    return came_back;
}
