/* SPDX-License-Identifier: Apache-2.0 */
/* test_file.c - reading whole files and replacing them atomically. */
/* links: common */
#include "unit.h"

#include "common/file.h"
#include <dirent.h>
#include <errno.h>

static struct arena *arena;
static char *folder;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 22);
    folder = unit_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unit_folder_remove(folder);
    arena_free(&arena);
    return 0;
}

static char *in_folder(const char *name)
{
    return arena_printf(arena, "%s/%s", folder, name);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static int entries(void)
{
    DIR *d = opendir(folder);
    int n = -2; /* . and .. */

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void what_is_written_is_read(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 256, 8191, 8192, 8193, 100000};
    char *path = in_folder("f");

    (void)state;
    random_seed(16);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *data = arena_alloc(arena, sizes[i]);
        struct slice back;

        random_bytes(data, sizes[i]);
        assert_int_equal(file_write(path, slice_mem(data, sizes[i]), 0640), RC_OK);
        assert_int_equal(file_read(arena, path, sizes[i], &back), RC_OK);
        assert_true(slice_eq(back, slice_mem(data, sizes[i])));
        assert_int_equal(back.p[back.n], 0);
        if (sizes[i]) {
            errno = 0;
            assert_int_equal(file_read(arena, path, sizes[i] - 1, &back), RC_OVER_QUOTA);
            assert_int_equal(errno, EFBIG);
        }
        assert_int_equal(entries(), 1); /* nothing temporary is left */
    }
    random_seed(0);
}

static void reading_takes_no_more_memory_than_the_file(void **state)
{
    struct arena *exact = arena_new(5002); /* and the NUL, and the byte that would follow */
    struct slice back;
    char data[5000];

    (void)state;
    memset(data, 'x', sizeof(data));
    assert_int_equal(file_write(in_folder("f"), slice_mem(data, sizeof(data)), 0600), RC_OK);
    assert_int_equal(file_read(exact, in_folder("f"), 1 << 20, &back), RC_OK);
    assert_int_equal(back.n, sizeof(data));
    assert_false(arena_over(exact));
    arena_free(&exact);
}

static void files_without_a_size_are_read(void **state)
{
    struct slice back;

    (void)state;
    assert_int_equal(file_read(arena, "/proc/self/status", 65536, &back), RC_OK);
    assert_true(slice_starts(back, SLICE("Name:")));
    assert_int_equal(file_read(arena, "/proc/self/status", 10, &back), RC_OVER_QUOTA);
}

static void reading_refuses(void **state)
{
    struct slice back;

    (void)state;
    assert_int_equal(file_read(arena, in_folder("none"), 10, &back), RC_NOT_FOUND);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(file_read(arena, in_folder("none/below"), 10, &back), RC_NOT_FOUND);
    assert_int_equal(file_read(arena, folder, 10, &back), RC_INVALID);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(file_read(arena, in_folder("fifo"), 10, &back), RC_INVALID); /* at once */
    assert_int_equal(file_read(arena, "/dev/zero", 10, &back), RC_INVALID);
}

static void the_mode_is_what_was_asked(void **state)
{
    mode_t before = umask(0077);
    char *path = in_folder("f");

    (void)state;
    assert_int_equal(file_write(path, SLICE("a"), 0644), RC_OK);
    assert_int_equal(mode_of(path), 0644);
    umask(0);
    assert_int_equal(file_write(path, SLICE("b"), 0600), RC_OK);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(file_mkdirs(in_folder("x/y"), 0750), RC_OK);
    assert_int_equal(mode_of(in_folder("x")), 0750);
    assert_int_equal(mode_of(in_folder("x/y")), 0750);
    umask(before);
}

static void root_keeps_the_owner(void **state)
{
    char *path = in_folder("f");
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(file_write(path, SLICE("a"), 0600), RC_OK);
    assert_int_equal(chown(path, 12345, 23456), 0);
    assert_int_equal(file_write(path, SLICE("b"), 0600), RC_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(st.st_gid, 23456);
}

static void readers_of_the_old_file_keep_it(void **state)
{
    char *path = in_folder("f");
    char old[3] = {0};
    int fd;

    (void)state;
    assert_int_equal(file_write(path, SLICE("old"), 0600), RC_OK);
    fd = open(path, O_RDONLY);
    assert_int_equal(file_write(path, SLICE("new"), 0600), RC_OK);
    assert_int_equal(read(fd, old, 3), 3);
    assert_memory_equal(old, "old", 3);
    close(fd);
}

static void writing_refuses(void **state)
{
    (void)state;
    assert_int_equal(file_write(in_folder("none/f"), SLICE("a"), 0600), RC_NOT_FOUND);
    assert_int_equal(mkdir(in_folder("d"), 0700), 0);
    assert_int_not_equal(file_write(in_folder("d"), SLICE("a"), 0600), RC_OK);
    assert_int_equal(entries(), 1);
}

static void a_new_file_never_replaces(void **state)
{
    struct slice back;

    (void)state;
    assert_int_equal(file_write_new(in_folder("f"), SLICE("first"), 0600), RC_OK);
    assert_int_equal(file_write_new(in_folder("f"), SLICE("second"), 0600), RC_CONFLICT);
    assert_int_equal(file_read(arena, in_folder("f"), 10, &back), RC_OK);
    assert_slice(back, "first");
    assert_int_equal(mode_of(in_folder("f")), 0600);
    assert_int_equal(symlink("f", in_folder("link")), 0);
    assert_int_equal(file_write_new(in_folder("link"), SLICE("third"), 0600), RC_CONFLICT);
    assert_int_equal(entries(), 2);
}

static void a_relative_path_works(void **state)
{
    char before[4096];
    struct slice back;

    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(file_write("f", SLICE("here"), 0600), RC_OK);
    assert_int_equal(file_read(arena, "f", 10, &back), RC_OK);
    assert_int_equal(file_mkdirs("p/q", 0700), RC_OK);
    assert_int_equal(chdir(before), 0);
    assert_slice(back, "here");
}

static void folders_are_made_once(void **state)
{
    (void)state;
    assert_int_equal(file_mkdirs(in_folder("a/b//c/"), 0700), RC_OK);
    assert_int_equal(mode_of(in_folder("a/b/c")), 0700);
    assert_int_equal(chmod(in_folder("a"), 0755), 0);
    assert_int_equal(file_mkdirs(in_folder("a/b/c"), 0700), RC_OK);
    assert_int_equal(mode_of(in_folder("a")), 0755); /* what was there stays as it was */
    assert_int_equal(file_mkdirs("/", 0700), RC_OK);
    assert_int_equal(file_mkdirs("", 0700), RC_NOT_FOUND);
    assert_int_equal(file_write(in_folder("f"), SLICE("a"), 0600), RC_OK);
    assert_int_equal(file_mkdirs(in_folder("f"), 0700), RC_CONFLICT);
    assert_int_equal(file_mkdirs(in_folder("f/g"), 0700), RC_CONFLICT);
}

static void long_names_are_refused(void **state)
{
    char name[5000];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    assert_int_not_equal(file_write(name, SLICE("a"), 0600), RC_OK);
    assert_int_not_equal(file_mkdirs(name, 0700), RC_OK);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(what_is_written_is_read),         FILE_TEST(reading_takes_no_more_memory_than_the_file),
        FILE_TEST(files_without_a_size_are_read),   FILE_TEST(reading_refuses),
        FILE_TEST(the_mode_is_what_was_asked),      FILE_TEST(root_keeps_the_owner),
        FILE_TEST(readers_of_the_old_file_keep_it), FILE_TEST(writing_refuses),
        FILE_TEST(a_new_file_never_replaces),       FILE_TEST(a_relative_path_works),
        FILE_TEST(folders_are_made_once),           FILE_TEST(long_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
