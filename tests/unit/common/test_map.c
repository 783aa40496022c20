/* SPDX-License-Identifier: Apache-2.0 */
/* test_map.c - the hash map, against a model. */
/* links: common */
#include "unit.h"

#include "common/map.h"

static int values[3000];

static void get_put_remove(void **state)
{
    struct map *m = map_new(0);

    (void)state;
    assert_null(map_get(m, SLICE("a")));
    assert_null(map_remove(m, SLICE("a")));
    assert_null(map_put(m, SLICE("a"), &values[0]));
    assert_ptr_equal(map_put(m, SLICE("a"), &values[1]), &values[0]);
    assert_ptr_equal(map_get(m, SLICE("a")), &values[1]);
    assert_int_equal(map_size(m), 1);
    assert_null(map_put(m, SLICE_NONE, &values[2]));
    assert_ptr_equal(map_get(m, SLICE("")), &values[2]);
    assert_null(map_get(m, SLICE("\0")));
    assert_ptr_equal(map_remove(m, SLICE("a")), &values[1]);
    assert_null(map_get(m, SLICE("a")));
    assert_int_equal(map_size(m), 1);
    map_free(&m, NULL);
    assert_null(m);
    map_free(&m, NULL);
}

static void keys_are_copied(void **state)
{
    struct map *m = map_new(0);
    char small[] = "0123456789abcdef0123456789abcdef";
    char large[] = "0123456789abcdef0123456789abcdefX";

    (void)state;
    map_put(m, slice_of(small), &values[0]);
    map_put(m, slice_of(large), &values[1]);
    small[0] = large[0] = 'z';
    assert_ptr_equal(map_get(m, SLICE("0123456789abcdef0123456789abcdef")), &values[0]);
    assert_ptr_equal(map_get(m, SLICE("0123456789abcdef0123456789abcdefX")), &values[1]);
    assert_ptr_equal(map_remove(m, SLICE("0123456789abcdef0123456789abcdefX")), &values[1]);
    map_free(&m, NULL);
}

static void objects_are_keys(void **state)
{
    struct map *m = map_new(10);
    struct uuid u = uuid_new();
    struct uuid v = uuid_new();

    (void)state;
    map_put(m, MAP_KEY(u), &values[0]);
    assert_ptr_equal(map_get(m, MAP_KEY(u)), &values[0]);
    assert_null(map_get(m, MAP_KEY(v)));
    map_free(&m, NULL);
}

static size_t make_key(int i, char *out, size_t size)
{
    return (size_t)snprintf(out, size, i % 3 ? "%d" : "a key that is longer than what fits inside, number %d", i);
}

/* Against a plain array of what ought to be there. */
static void random_work_agrees_with_a_model(void **state)
{
    struct map *m = map_new(0);
    int *model[3000] = {0};
    size_t n = 0;

    (void)state;
    random_seed(17);
    for (int step = 0; step < 200000; step++) {
        int i = (int)random_below(step < 100000 ? 3000 : 300);
        char text[80];
        struct slice key = slice_mem(text, make_key(i, text, sizeof(text)));

        switch (random_below(3)) {
        case 0:
            assert_ptr_equal(map_put(m, key, &values[i]), model[i]);
            n += !model[i];
            model[i] = &values[i];
            break;
        case 1:
            assert_ptr_equal(map_remove(m, key), model[i]);
            n -= model[i] != NULL;
            model[i] = NULL;
            break;
        default:
            assert_ptr_equal(map_get(m, key), model[i]);
            break;
        }
        assert_int_equal(map_size(m), n);
    }
    map_free(&m, NULL);
    random_seed(0);
}

static void walking_sees_each_once(void **state)
{
    struct map *m = map_new(0);
    bool seen[1000] = {0};
    size_t at = 0;
    size_t n = 0;
    struct slice key;
    void *value;

    (void)state;
    assert_false(map_next(m, &at, &key, &value));
    for (int i = 0; i < 1000; i++) {
        char text[80];

        map_put(m, slice_mem(text, make_key(i, text, sizeof(text))), &values[i]);
    }
    at = 0;
    while (map_next(m, &at, &key, &value)) {
        size_t i = (size_t)((int *)value - values);
        char text[80];

        assert_false(seen[i]);
        seen[i] = true;
        assert_true(slice_eq(key, slice_mem(text, make_key((int)i, text, sizeof(text)))));
        n++;
    }
    assert_int_equal(n, 1000);
    at = 0;
    assert_true(map_next(m, &at, NULL, NULL));
    map_free(&m, NULL);
}

static int freed;

static void count_free(void *value)
{
    freed++;
    free(value);
}

static void values_are_freed_on_request(void **state)
{
    struct map *m = map_new(100);

    (void)state;
    freed = 0;
    for (int i = 0; i < 50; i++)
        map_put(m, MAP_KEY(i), malloc(8));
    map_free(&m, count_free);
    assert_int_equal(freed, 50);
}

static void put_nothing(void *arg)
{
    map_put(map_new(0), SLICE("a"), arg);
}

static void a_value_is_never_null(void **state)
{
    (void)state;
    assert_true(unit_aborts(put_nothing, NULL, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_put_remove),         cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(objects_are_keys),       cmocka_unit_test(random_work_agrees_with_a_model),
        cmocka_unit_test(walking_sees_each_once), cmocka_unit_test(values_are_freed_on_request),
        cmocka_unit_test(a_value_is_never_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
