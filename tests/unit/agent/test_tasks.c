/* SPDX-License-Identifier: Apache-2.0 */
/* test_tasks.c - executions: each starts once and ends once, whatever lists, restarts and crashes come in between. */
#include "agent/tasks.h"
#include "common/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the headers that it needs */
#include <cmocka.h>

struct report {
    struct uuid id;
    struct uuid execution;
    enum wire_execution_state state;
    char code[40];
    int64_t progress;
    bool final;
};

struct fixture {
    char path[64];
    struct tasks *t;
    struct uuid started[32];
    size_t n_started;
    struct uuid cancelled[32];
    size_t n_cancelled;
    struct report reports[64];
    size_t n_reports;
    uint64_t seq;
    bool full; /* the journal takes nothing */
};

static void on_start(void *ctx, const struct wire_task *task)
{
    struct fixture *f = ctx;
    f->started[f->n_started++] = task->execution_id;
}

static void on_cancel(void *ctx, struct uuid id)
{
    struct fixture *f = ctx;
    f->cancelled[f->n_cancelled++] = id;
}

static enum rc on_report(void *ctx, struct uuid id, const struct wire_body_execution *body, bool final,
                         uint64_t *ret_seq)
{
    struct fixture *f = ctx;
    if (f->full)
        return RC_UNAVAILABLE;
    for (size_t i = 0; i < f->n_reports; i++)
        if (uuid_eq(f->reports[i].id, id))
            return RC_OK; /* the journal knows it */
    struct report *r = &f->reports[f->n_reports++];
    *r = (struct report){
        .id = id, .execution = body->execution_id, .state = body->state, .progress = body->progress, .final = final};
    snprintf(r->code, sizeof(r->code), SLICE_FMT, SLICE_ARG(body->result_code));
    *ret_seq = ++f->seq;
    return RC_OK;
}

static const struct tasks_callbacks callbacks = {.start = on_start, .cancel = on_cancel, .report = on_report};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/sekisho-tasks-XXXXXX");
    close(mkstemp(f->path));
    unlink(f->path);
    f->t = tasks_new(f->path, &callbacks, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tasks_free(&f->t);
    unlink(f->path);
    free(f);
    return 0;
}

static void restart(struct fixture *f)
{
    tasks_free(&f->t);
    f->t = tasks_new(f->path, &callbacks, f);
    tasks_resume(f->t);
}

static struct wire_task task(int n, enum wire_task_type type)
{
    struct wire_task t = {.execution_id = {{1, 2, 3}}, .type = type};
    t.execution_id.b[15] = (uint8_t)n;
    return t;
}

static void progress(struct fixture *f, const struct wire_task *t, enum wire_execution_state state, int percent,
                     const char *code)
{
    struct protect_progress p = {.execution_id = t->execution_id,
                                 .state = state,
                                 .progress = percent,
                                 .files_scanned = 10,
                                 .files_total = 20,
                                 .found = -1,
                                 .result_code = code};
    tasks_progress(f->t, &p);
}

/* Final reports of an execution. */
static size_t ends(const struct fixture *f, struct uuid id, enum wire_execution_state state, const char *code)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_reports; i++) {
        if (!uuid_eq(f->reports[i].execution, id) || !f->reports[i].final)
            continue;
        assert_int_equal(f->reports[i].state, state);
        assert_string_equal(f->reports[i].code, code);
        n++;
    }
    return n;
}

static void test_once(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_SHOW_MESSAGE)};
    list[1].text = SLICE("こんにちは");
    assert_int_equal(tasks_list(f->t, 5, list, 2, true), RC_OK);
    assert_int_equal(tasks_revision(f->t), 5);
    assert_int_equal(f->n_started, 2);
    assert_int_equal(tasks_list(f->t, 6, list, 2, true), RC_OK);
    assert_int_equal(f->n_started, 2);
    progress(f, &list[1], WIRE_EXECUTION_STATE_DONE, 100, "message_shown");
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_DONE, "message_shown"), 1);
    progress(f, &list[1], WIRE_EXECUTION_STATE_FAILED, 100, "late"); /* too late: it has ended */
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_DONE, "message_shown"), 1);
    restart(f);
    assert_int_equal(tasks_revision(f->t), 6);
    assert_int_equal(tasks_list(f->t, 7, list, 2, false), RC_OK); /* an old list: the end is still in the journal */
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_DONE, "message_shown"), 1);
    for (size_t i = 0; i < f->n_started; i++)
        assert_true(i < 2 || !uuid_eq(f->started[i], list[1].execution_id));
    /* the journal is empty and the server still lists it: the end got lost, so it is told again */
    assert_int_equal(tasks_list(f->t, 8, list, 2, true), RC_OK);
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_DONE, "message_shown"), 2);
}

static void test_heavy_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_SCAN),
                               task(3, WIRE_TASK_TYPE_ISOLATE), task(4, WIRE_TASK_TYPE_UPDATE_MODULES),
                               task(5, WIRE_TASK_TYPE_UNKNOWN)};
    assert_int_equal(tasks_list(f->t, 1, list, 5, true), RC_OK);
    assert_int_equal(f->n_started, 2); /* the first scan, and isolation does not wait */
    assert_int_equal(ends(f, list[4].execution_id, WIRE_EXECUTION_STATE_REFUSED, "task_unknown"), 1);
    progress(f, &list[0], WIRE_EXECUTION_STATE_DONE, 100, "scan_clean");
    assert_int_equal(f->n_started, 3);
    assert_true(uuid_eq(f->started[2], list[1].execution_id));
    progress(f, &list[1], WIRE_EXECUTION_STATE_FAILED, 10, "engine_missing");
    assert_true(uuid_eq(f->started[3], list[3].execution_id));
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_FAILED, "engine_missing"), 1);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_SCAN),
                               task(3, WIRE_TASK_TYPE_SCAN)};
    assert_int_equal(tasks_list(f->t, 1, list, 3, true), RC_OK);
    list[0].cancel = list[0].has_cancel = list[1].cancel = list[1].has_cancel = true;
    assert_int_equal(tasks_list(f->t, 2, list, 2, true), RC_OK); /* the third is gone from the list before it began */
    assert_int_equal(f->n_cancelled, 1);
    assert_true(uuid_eq(f->cancelled[0], list[0].execution_id));
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_CANCELLED, "cancelled"), 1);
    progress(f, &list[0], WIRE_EXECUTION_STATE_CANCELLED, 40, "cancelled");
    assert_int_equal(ends(f, list[0].execution_id, WIRE_EXECUTION_STATE_CANCELLED, "cancelled"), 1);
    assert_int_equal(f->n_started, 1);
    assert_int_equal(tasks_unfinished(f->t), 0);
    struct wire_task born_cancelled = task(9, WIRE_TASK_TYPE_SCAN);
    born_cancelled.cancel = born_cancelled.has_cancel = true;
    assert_int_equal(tasks_list(f->t, 3, &born_cancelled, 1, true), RC_OK);
    assert_int_equal(ends(f, born_cancelled.execution_id, WIRE_EXECUTION_STATE_CANCELLED, "cancelled"), 1);
    assert_int_equal(f->n_started, 1);
}

static void test_expired(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_SCAN)};
    list[1].expires_at = 1000 * USEC_PER_SEC;
    assert_int_equal(tasks_list(f->t, 1, list, 2, true), RC_OK);
    assert_true(tasks_tick(f->t, 999 * USEC_PER_SEC) >= 0);
    assert_int_equal(tasks_unfinished(f->t), 2);
    tasks_tick(f->t, 1001 * USEC_PER_SEC);
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_FAILED, "expired"), 1);
    progress(f, &list[0], WIRE_EXECUTION_STATE_DONE, 100, "scan_clean");
    assert_int_equal(f->n_started, 1);
}

static void test_restarts(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_SHOW_MESSAGE)};
    assert_int_equal(tasks_list(f->t, 1, list, 2, true), RC_OK);
    restart(f); /* the scan begins anew, the message is not shown twice */
    assert_int_equal(f->n_started, 3);
    assert_true(uuid_eq(f->started[2], list[0].execution_id));
    assert_int_equal(ends(f, list[1].execution_id, WIRE_EXECUTION_STATE_FAILED, "interrupted"), 1);
    restart(f); /* a scan that takes the agent down each time must not do so for ever */
    assert_int_equal(f->n_started, 3);
    assert_int_equal(ends(f, list[0].execution_id, WIRE_EXECUTION_STATE_FAILED, "interrupted"), 1);
    restart(f);
    assert_int_equal(ends(f, list[0].execution_id, WIRE_EXECUTION_STATE_FAILED, "interrupted"), 1);
    assert_int_equal(tasks_unfinished(f->t), 0);
}

static void test_full_journal(void **state)
{
    struct fixture *f = *state;
    struct wire_task one = task(1, WIRE_TASK_TYPE_SCAN);
    assert_int_equal(tasks_list(f->t, 1, &one, 1, true), RC_OK);
    f->full = true;
    progress(f, &one, WIRE_EXECUTION_STATE_DONE, 100, "scan_clean");
    assert_int_equal(f->n_reports, 0);
    assert_int_equal(tasks_unfinished(f->t), 1);
    assert_true(tasks_tick(f->t, 1) > 0);
    restart(f); /* crashed before it could be told: told after the restart, and not run again */
    assert_int_equal(f->n_started, 1);
    f->full = false;
    tasks_tick(f->t, 1);
    assert_int_equal(ends(f, one.execution_id, WIRE_EXECUTION_STATE_DONE, "scan_clean"), 1);
    assert_int_equal(tasks_unfinished(f->t), 0);
}

static void test_progress_is_thin(void **state)
{
    struct fixture *f = *state;
    struct wire_task one = task(1, WIRE_TASK_TYPE_SCAN);
    assert_int_equal(tasks_list(f->t, 1, &one, 1, true), RC_OK);
    tasks_tick(f->t, 1);
    assert_int_equal(f->n_reports, 1); /* it runs */
    for (int i = 0; i < 50; i++) {
        progress(f, &one, WIRE_EXECUTION_STATE_RUNNING, i, NULL);
        tasks_tick(f->t, 1);
    }
    assert_int_equal(f->n_reports, 1); /* not acknowledged */
    tasks_acked(f->t, f->seq);
    int wait = tasks_tick(f->t, 1);
    assert_true(wait > 0 && wait <= 2001); /* and not within 2 s */
    assert_int_equal(f->n_reports, 1);
    usleep(2010000);
    tasks_tick(f->t, 1);
    assert_int_equal(f->n_reports, 2);
    assert_int_equal(f->reports[1].progress, 49);
    assert_false(f->reports[1].final);
    assert_int_equal(tasks_tick(f->t, 1), -1); /* nothing new: no timer */
}

static void test_damaged_file(void **state)
{
    struct fixture *f = *state;
    struct wire_task list[3] = {task(1, WIRE_TASK_TYPE_SCAN), task(2, WIRE_TASK_TYPE_ISOLATE),
                                task(3, WIRE_TASK_TYPE_SCAN)};
    assert_int_equal(tasks_list(f->t, 4, list, 3, true), RC_OK);
    FILE *file = fopen(f->path, "r");
    char text[16384];
    size_t n = fread(text, 1, sizeof(text), file);
    fclose(file);
    for (size_t cut = 0; cut < n; cut += 7) {
        file = fopen(f->path, "w");
        fwrite(text, 1, cut, file);
        if (cut % 2)
            fwrite("\xff{\"", 1, 3, file);
        fclose(file);
        f->n_started = f->n_reports = 0;
        restart(f);
        assert_true(tasks_revision(f->t) == 0); /* the server's next list brings them again */
    }
    assert_int_equal(tasks_list(f->t, 4, list, 3, true), RC_OK);
    assert_int_equal(f->n_started, 2);
}

int main(void)
{
    event_setup(EVENT_ERROR, "/dev/null");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heavy_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress_is_thin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
