/* SPDX-License-Identifier: Apache-2.0 */
/* links: sim wire common */
/* sources: fake_server.c */
/* test_device.c - the simulator's whole way: enrolment, check-ins, facts, journal, wake-up, tasks, reconnects and the
 * state file, against a small strict server on loopback that loses answers, asks for new epochs and refuses. */
#include "common/must.h"
#include "fake_server.h"
#include "sim/device.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define DEVICES 4

struct place {
    char folder[64], ca[100], file[100], server[40];
    struct fake_server *fake;
};

static int set_up(void **state)
{
    struct place *p = must_alloc(sizeof(*p));
    snprintf(p->folder, sizeof(p->folder), "/tmp/sekisho-sim-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->ca, sizeof(p->ca), "%s/ca.pem", p->folder);
    snprintf(p->file, sizeof(p->file), "%s/fleet", p->folder);
    p->fake = fake_server_new(p->folder);
    snprintf(p->server, sizeof(p->server), "localhost:%d", fake_server_port(p->fake));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    fake_server_free(&p->fake);
    unlink(p->ca);
    unlink(p->file);
    rmdir(p->folder);
    free(p);
    return 0;
}

static const char *const tokens[] = {FAKE_TOKEN};

static struct sim_options options_of(const struct place *p)
{
    return (struct sim_options){.server = p->server,
                                .ca_file = p->ca,
                                .state_file = p->file,
                                .tokens = tokens,
                                .n_tokens = 1,
                                .devices = DEVICES,
                                .seed = 5,
                                .detections = 7200,
                                .changes = 3600,
                                .duration = 3,
                                .drain = 20,
                                .concurrency = 4,
                                .parallel = 4,
                                .numbered = true,
                                .quiet = true};
}

static struct sim *sim_of(const struct sim_options *o)
{
    char why[512] = "";
    struct sim *s = NULL;
    if (sim_new(o, &s, why, sizeof(why)) != RC_OK)
        fail_msg("%s", why);
    return s;
}

static void check_numbers(struct place *p, const struct sim *s)
{
    assert_string_equal(fake_server_complaint(p->fake), "");
    for (int i = 0; i < DEVICES; i++) {
        const struct device *d = NULL;
        struct fake_device f = fake_server_device(p->fake, i);
        for (int k = 0; k < DEVICES; k++)
            if (uuid_eq(s->devices[k].id, f.id))
                d = &s->devices[k];
        assert_non_null(d);
        assert_int_equal(f.doubled, 0);
        assert_int_equal(f.numbers, d->numbered);
        assert_int_equal(f.highest, d->numbered);
        assert_int_equal(d->spool.waiting, 0);
    }
}

static void test_nothing_lost_or_doubled(void **state)
{
    struct place *p = *state;
    struct fake_script *script = fake_server_script(p->fake);
    struct sim_options o = options_of(p);
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    assert_int_equal(fake_server_enrolled(p->fake), DEVICES);
    atomic_store(&script->lose, 5);
    atomic_store(&script->new_epoch, 3);
    atomic_store(&script->too_many, 3);
    atomic_store(&script->want, 2);
    assert_int_equal(sim_run(s), RC_OK);
    assert_int_equal(atomic_load(&script->lose), 0);
    assert_int_equal(atomic_load(&script->new_epoch), 0);
    assert_int_equal(atomic_load(&script->want), 0);
    assert_true(s->counts.detections_made > 5);
    assert_int_equal(s->counts.new_epochs, 3);
    assert_int_equal(s->counts.refused, 3);
    assert_true(fake_server_resumed(p->fake) > 0); /* the reconnects */
    check_numbers(p, s);
    sim_free(&s);
}

static void test_second_run_goes_on(void **state)
{
    struct place *p = *state;
    struct sim_options o = options_of(p);
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    assert_int_equal(sim_run(s), RC_OK);
    struct fake_device before[DEVICES];
    for (int i = 0; i < DEVICES; i++) {
        before[i] = fake_server_device(p->fake, i);
        assert_int_equal(before[i].wholes, FLEET_KINDS);
    }
    uint64_t seed = s->o.seed;
    sim_free(&s);
    o.seed = 99; /* the file's wins */
    o.n_tokens = 0;
    s = sim_of(&o);
    assert_int_equal(s->o.seed, seed);
    assert_int_equal(sim_enrol(s), RC_OK);
    assert_int_equal(sim_run(s), RC_OK);
    assert_int_equal(fake_server_enrolled(p->fake), DEVICES);
    check_numbers(p, s);
    for (int i = 0; i < DEVICES; i++) {
        struct fake_device after = fake_server_device(p->fake, i);
        assert_int_equal(after.wholes, FLEET_KINDS);
        assert_int_equal(after.epochs, 1);
        assert_true(after.checkins > before[i].checkins);
    }
    sim_free(&s);
}

static uint64_t lines_of(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[300];
    uint64_t n = 0;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        struct slice rest = slice_trim(slice_of(line));
        struct uuid id;
        int64_t seq;
        assert_true(uuid_parse(slice_cut(&rest, ' '), &id));
        assert_true(uuid_parse(slice_cut(&rest, ' '), &id));
        assert_true(slice_i64(slice_cut(&rest, ' '), &seq) && seq > 0);
        assert_true(uuid_parse(slice_cut(&rest, ' '), &id));
        assert_true(wire_event_kind_parse(rest) != WIRE_EVENT_KIND_UNKNOWN);
        n++;
    }
    fclose(f);
    return n;
}

static void test_record_of_acknowledgements(void **state)
{
    struct place *p = *state;
    struct sim_options o = options_of(p);
    char path[128];
    snprintf(path, sizeof(path), "%s/record", p->folder);
    o.record_file = path;
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    assert_int_equal(sim_run(s), RC_OK);
    uint64_t first = s->counts.events_acked;
    assert_true(first > 5);
    assert_int_equal(lines_of(path), first);
    sim_free(&s);
    s = sim_of(&o); /* another life: numbers that the first one cannot have used */
    for (int i = 0; i < DEVICES; i++)
        assert_int_equal(s->devices[i].numbered, 1000000);
    assert_int_equal(sim_run(s), RC_OK);
    assert_int_equal(lines_of(path), first + s->counts.events_acked);
    sim_free(&s);
    unlink(path);
    o.record_file = "/nonexistent/record";
    char why[512];
    assert_int_equal(sim_new(&o, &s, why, sizeof(why)), RC_UNAVAILABLE);
    assert_non_null(strstr(why, "record file"));
}

static void test_smaller_run_keeps_the_rest(void **state)
{
    struct place *p = *state;
    struct sim_options o = options_of(p);
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    sim_free(&s);
    o.devices = 1;
    o.duration = 1;
    s = sim_of(&o);
    assert_int_equal(sim_run(s), RC_OK);
    sim_free(&s);
    o.devices = DEVICES;
    s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    assert_int_equal(fake_server_enrolled(p->fake), DEVICES);
    sim_free(&s);
}

static void test_woken_for_a_task(void **state)
{
    struct place *p = *state;
    struct sim_options o = options_of(p);
    o.detections = o.changes = 0;
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_OK);
    atomic_store(&fake_server_script(p->fake)->task, 7);
    assert_int_equal(sim_run(s), RC_OK);
    assert_int_equal(s->counts.tasks_run, DEVICES);
    for (int i = 0; i < DEVICES; i++)
        assert_true(fake_server_device(p->fake, i).task_done);
    assert_string_equal(fake_server_complaint(p->fake), "");
    sim_free(&s);
}

static void test_refusals_say_why(void **state)
{
    struct place *p = *state;
    char why[512];
    struct sim_options o = options_of(p);
    static const char *const other[] = {"sek1_other"};
    o.tokens = other;
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_DENIED);
    assert_non_null(strstr(s->why, "enrolment_token_unknown"));
    sim_free(&s);
    o.n_tokens = 0;
    s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_DENIED);
    assert_non_null(strstr(s->why, "no token"));
    sim_free(&s);
    o.server = "localhost";
    assert_int_equal(sim_new(&o, &s, why, sizeof(why)), RC_INVALID);
    assert_non_null(strstr(why, "host:port"));
    o.server = p->server;
    o.ca_file = "/nonexistent";
    assert_int_equal(sim_new(&o, &s, why, sizeof(why)), RC_INVALID);
    assert_non_null(strstr(why, "certificate authority"));
    o.ca_file = p->ca;
    o.local_addresses = "127.0.0.300";
    assert_int_equal(sim_new(&o, &s, why, sizeof(why)), RC_INVALID);
    assert_non_null(strstr(why, "local addresses"));
}

static void test_other_authority(void **state)
{
    struct place *p = *state;
    char folder[] = "/tmp/sekisho-sim-XXXXXX", ca[64];
    assert_non_null(mkdtemp(folder));
    struct fake_server *other = fake_server_new(folder);
    struct sim_options o = options_of(p);
    snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
    o.ca_file = ca;
    struct sim *s = sim_of(&o);
    assert_int_equal(sim_enrol(s), RC_DENIED);
    assert_non_null(strstr(s->why, "not trusted"));
    sim_free(&s);
    fake_server_free(&other);
    unlink(ca);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_lost_or_doubled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_of_acknowledgements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_run_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_smaller_run_keeps_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_woken_for_a_task, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_say_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_authority, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
