/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue.c - fairness, shares, bounds and shedding of the workers' queue. */
#include "worker/queue.h"
/* links: worker */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>

#define MS UINT64_C(1000000)

static int jobs[1000];

static void put(struct queue *q, int64_t owner, int job, uint64_t at)
{
    assert_true(queue_put(q, owner, &jobs[job], at));
}

static int take(struct queue *q, int64_t *owner)
{
    int *j = queue_take(q, owner);

    return j ? (int)(j - jobs) : -1;
}

static void owners_take_turns(void **state)
{
    struct queue *q = queue_new(100, 8); /* share 2 */
    int64_t owner;

    (void)state;
    for (int i = 0; i < 10; i++)
        put(q, 1, i, 1);
    put(q, 2, 10, 2);
    put(q, 3, 11, 3);
    assert_int_equal(take(q, &owner), 0);
    assert_int_equal(take(q, &owner), 10);
    assert_int_equal(take(q, &owner), 11);
    assert_int_equal(take(q, &owner), 1);
    assert_int_equal(owner, 1);
    assert_int_equal(take(q, &owner), -1); /* owner 1 has its share */
    queue_done(q, 1, MS);
    assert_int_equal(take(q, &owner), 2);
    assert_int_equal(queue_length(q), 7);
    for (int i = 3; i < 10; i++) {
        queue_done(q, 1, MS);
        assert_int_equal(take(q, &owner), i);
    }
    queue_done(q, 1, MS);
    queue_done(q, 1, MS);
    queue_done(q, 2, MS);
    queue_done(q, 3, MS);
    queue_free(&q);
}

/* Who used 10 times the time of another gets about a tenth of the jobs. */
static void time_is_what_counts(void **state)
{
    struct queue *q = queue_new(1000, 4); /* share 1 */
    int64_t owner;
    int heavy = 0, light = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        put(q, 1, i, 1);
        put(q, 2, i, 1);
    }
    for (int i = 0; i < 220; i++) {
        assert_int_not_equal(take(q, &owner), -1);
        if (owner == 1)
            heavy++;
        else
            light++;
        queue_done(q, owner, owner == 1 ? 100 * MS : 10 * MS);
    }
    assert_in_range(heavy, 10, 40);
    assert_in_range(light, 180, 210);
    while (take(q, &owner) >= 0)
        queue_done(q, owner, 0);
    queue_free(&q);
}

static void full_is_full(void **state)
{
    struct queue *q = queue_new(2, 4);
    int64_t owner;

    (void)state;
    put(q, 1, 0, 1);
    put(q, 2, 1, 1);
    assert_false(queue_put(q, 3, &jobs[2], 1));
    assert_int_equal(take(q, &owner), 0);
    put(q, 3, 2, 1);
    queue_done(q, 1, 0);
    while (take(q, &owner) >= 0)
        queue_done(q, owner, 0);
    queue_free(&q);
}

static void the_old_are_shed(void **state)
{
    struct queue *q = queue_new(10, 4);
    int64_t owner;

    (void)state;
    put(q, 1, 0, 10);
    put(q, 2, 2, 20);
    put(q, 1, 1, 30);
    assert_ptr_equal(queue_shed(q, 25), &jobs[0]);
    assert_ptr_equal(queue_shed(q, 25), &jobs[2]);
    assert_null(queue_shed(q, 25));
    assert_int_equal(take(q, &owner), 1);
    queue_done(q, 1, 0);
    assert_int_equal(queue_length(q), 0);
    queue_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_take_turns),
        cmocka_unit_test(time_is_what_counts),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(the_old_are_shed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
