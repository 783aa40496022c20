/* SPDX-License-Identifier: Apache-2.0 */
/* test_access.c - rights over a tree: they add up, a denial wins, nobody goes beyond what there is. The tree is
 * All -> {Tokyo, Osaka -> Shop}. */
/* links: domain store handler push cache wire call common */
#include "domain/access.h"
#include "domain/user.h"
#include "handler/api.gen.h"
#include "unit/common/unit.h"

enum { ALL, TOKYO, OSAKA, SHOP, GROUPS };
static struct access_group tree[GROUPS];
static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 22);
    for (int i = 0; i < GROUPS; i++)
        tree[i].id = uuid_new();
    tree[ALL].parent = (struct uuid){{0}};
    tree[TOKYO].parent = tree[OSAKA].parent = tree[ALL].id;
    tree[SHOP].parent = tree[OSAKA].id;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static const rights *spread(struct access_set_grant *grants, size_t n, const struct uuid *sets, size_t n_sets,
                            struct uuid home)
{
    struct access_account a = {.home = home, .grants = grants, .n_grants = n, .n_set_ids = n_sets};
    a.set_ids = ARENA_ARRAY(arena, struct uuid, n_sets + 1);
    for (size_t i = 0; i < n_sets; i++)
        a.set_ids[i] = sets[i];
    return access_spread(arena, tree, GROUPS, &a);
}

static void they_hold_below_and_not_beside(void **state)
{
    (void)state;
    rights r = rights_allow(FUNCTIONALITY_tasks, ACCESS_USE);
    struct access_set_grant g = {{{1}}, {.group = tree[OSAKA].id, .allow = r}};
    const rights *s = spread(&g, 1, NULL, 0, tree[ALL].id);
    assert_int_equal(s[ALL], 0);
    assert_int_equal(s[TOKYO], 0);
    assert_int_equal(s[OSAKA], r);
    assert_int_equal(s[SHOP], r);
}

static void they_add_up_and_a_denial_wins(void **state)
{
    (void)state;
    struct access_set_grant g[] = {
        {{{1}}, {.group = tree[SHOP].id, .allow = rights_allow(FUNCTIONALITY_users, ACCESS_READ)}},
        {{{2}}, {.group = tree[ALL].id, .allow = rights_level(ACCESS_WRITE)}},
        {{{3}}, {.group = tree[OSAKA].id, .deny = rights_deny(FUNCTIONALITY_users, ACCESS_USE)}},
    };
    const rights *s = spread(g, 3, NULL, 0, tree[ALL].id);
    assert_int_equal(s[TOKYO], RIGHTS_ALL);
    assert_int_equal(rights_most(s[SHOP], FUNCTIONALITY_users), ACCESS_READ);
    assert_int_equal(rights_most(s[SHOP], FUNCTIONALITY_audit), ACCESS_WRITE);
}

static void built_in_sets_hold_on_all_or_at_home(void **state)
{
    (void)state;
    struct uuid branch = built_in_sets[3].id, auditor = built_in_sets[5].id;
    const rights *s = spread(NULL, 0, (struct uuid[]){branch, auditor}, 2, tree[OSAKA].id);
    assert_true(built_in_sets[3].on_home_group);
    assert_int_equal(rights_most(s[TOKYO], FUNCTIONALITY_devices), ACCESS_NONE);
    assert_int_equal(rights_most(s[SHOP], FUNCTIONALITY_devices), ACCESS_WRITE);
    assert_int_equal(rights_most(s[TOKYO], FUNCTIONALITY_audit), ACCESS_READ);
    s = spread(NULL, 0, &branch, 1, (struct uuid){{0}}); /* no home: All */
    assert_int_equal(rights_most(s[TOKYO], FUNCTIONALITY_devices), ACCESS_WRITE);
    assert_ptr_equal(built_in_set_find(built_in_administrator()), &built_in_sets[0]);
    assert_null(built_in_set_find(tree[ALL].id));
}

static void sums_without_groups(void **state)
{
    (void)state;
    rights devices = rights_allow(FUNCTIONALITY_devices, ACCESS_WRITE),
           tasks = rights_allow(FUNCTIONALITY_tasks, ACCESS_READ);
    struct access_grant g[] = {{tree[ALL].id, true, devices, 0}, {tree[OSAKA].id, false, tasks, 0}};
    struct access x = access_sum(NULL, 0, false, g, 2);
    assert_int_equal(x.may, devices | tasks);
    assert_int_equal(x.everywhere, devices);
    struct access_grant some[] = {g[0], {tree[OSAKA].id, false, 0, rights_deny(FUNCTIONALITY_devices, ACCESS_WRITE)}};
    x = access_sum(NULL, 0, false, some, 2);
    assert_int_equal(x.may, devices); /* somewhere */
    assert_int_equal(rights_most(x.everywhere, FUNCTIONALITY_devices), ACCESS_USE);
    struct access_grant all[] = {g[0], {tree[ALL].id, true, 0, rights_deny(FUNCTIONALITY_devices, ACCESS_READ)}};
    assert_int_equal(access_sum(NULL, 0, false, all, 2).may, 0); /* nowhere */
    struct uuid branch = built_in_sets[3].id;
    assert_int_equal(access_sum(&branch, 1, false, NULL, 0).everywhere, 0);
    assert_int_not_equal(access_sum(&branch, 1, true, NULL, 0).everywhere, 0);
}

static void within(void **state)
{
    (void)state;
    rights mine[] = {1, 3}, before[] = {4, 0}, more = 0;
    assert_true(access_within((rights[]){5, 2}, before, mine, 2, &more));
    assert_false(access_within((rights[]){5, 6}, before, mine, 2, &more));
    assert_int_equal(more, 4);
    assert_false(access_within((rights[]){4, 0}, NULL, mine, 2, &more));
}

static void names_are_those_of_the_contract(void **state)
{
    (void)state;
    const char *names[FUNCTIONALITY_COUNT * 3];
    assert_int_equal(rights_names(rights_level(ACCESS_READ), names), FUNCTIONALITY_COUNT);
    for (int f = 0; f < FUNCTIONALITY_COUNT; f++)
        assert_string_equal(arena_printf(arena, "%s.read", api_functionality_text((enum api_functionality)f)),
                            names[f]);
}

static void names_of_people(void **state)
{
    (void)state;
    assert_true(user_name_fits(SLICE("a.B_1@x+y-z")));
    assert_false(user_name_fits(SLICE("")));
    assert_false(user_name_fits(SLICE("a/b")));
    assert_false(user_name_fits(slice_mem("a\0b", 3)));
    assert_false(user_name_fits(SLICE("楓")));
    assert_true(user_email_fits(SLICE("")));
    assert_true(user_email_fits(SLICE("a.b@mail.example.com")));
    static const char *const bad[] = {"a",       "@b.c",     "a@b",      "a@.com",     "a@b.",
                                      "a@b@c.d", "a b@c.de", "<a@b.cd>", "a@b.c,d@e.f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(user_email_fits(slice_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_hold_below_and_not_beside, setup, teardown),
        cmocka_unit_test_setup_teardown(they_add_up_and_a_denial_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(built_in_sets_hold_on_all_or_at_home, setup, teardown),
        cmocka_unit_test_setup_teardown(sums_without_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(within, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_those_of_the_contract, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_people, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
