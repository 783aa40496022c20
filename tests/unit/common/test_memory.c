/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - what was freed in pieces goes back when the process is idle, and not in each turn. */
/* links: common */
#include "unit.h"

#include "common/event.h"
#include "common/memory.h"
#include "common/must.h"

#define PIECES 60000
#define PIECE  1000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHER_ALLOCATOR 1
#else
#define OTHER_ALLOCATOR 0
#endif

static void *pieces[PIECES];

/* Every 500th piece stays, so that the allocator by itself gives nothing back. */
static void use_and_free(void)
{
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = must_alloc(PIECE);
        memset(pieces[i], 1, PIECE);
    }
    for (int i = 0; i < PIECES - 1; i++)
        if (i % 500) {
            free(pieces[i]);
            pieces[i] = NULL;
        }
}

static void free_rest(void)
{
    for (int i = 0; i < PIECES; i++) {
        free(pieces[i]);
        pieces[i] = NULL;
    }
}

static void given_back_when_idle(void **state)
{
    int64_t before = memory_resident(), used;

    (void)state;
    if (OTHER_ALLOCATOR)
        skip();
    event_setup(EVENT_ERROR, NULL);
    assert_true(before > 0);
    memory_turn(true); /* what there is now is the measure */
    use_and_free();
    used = memory_resident();
    assert_true(used > before + 40 * 1024 * 1024);
    memory_turn(true);
    assert_true(memory_resident() < before + 16 * 1024 * 1024);
    free_rest();
}

static void not_in_each_turn_of_a_busy_process(void **state)
{
    int64_t used;

    (void)state;
    if (OTHER_ALLOCATOR)
        skip();
    use_and_free(); /* less than is worth a pause of those who work */
    used = memory_resident();
    memory_turn(false);
    assert_true(memory_resident() > used - 8 * 1024 * 1024);
    memory_turn(true);
    assert_true(memory_resident() < used - 30 * 1024 * 1024);
    free_rest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_back_when_idle),
        cmocka_unit_test(not_in_each_turn_of_a_busy_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
