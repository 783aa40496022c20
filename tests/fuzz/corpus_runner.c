/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_runner.c - main() of a fuzzer built without libFuzzer: runs every file of the folders and files given, and
 * some thousand random changes of each from a fixed seed, so that the ordinary test build looks at the parsers as well.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LARGEST (1 << 20)
#define ROUNDS  2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 88172645463325252u;

static uint64_t next(void) /* xorshift64 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Overwrites, deletes or doubles a few bytes. Returns the new size. */
static size_t change(uint8_t *p, size_t n)
{
    for (uint64_t k = next() % 4 + 1; k > 0 && n > 0; k--) {
        size_t at = next() % n, len = next() % 8 % (n - at) + 1;

        switch (next() % 4) {
        case 0:
            p[at] = (uint8_t)next();
            break;
        case 1:
            p[at] ^= (uint8_t)(1u << next() % 8);
            break;
        case 2:
            memmove(p + at, p + at + len, n - at - len);
            n -= len;
            break;
        default:
            if (n + len > LARGEST)
                break;
            memmove(p + at + len, p + at, n - at);
            n += len;
        }
    }
    return n;
}

/* Each input is an allocation of its own size, so that ASan sees the first byte behind it. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    memcpy(copy, p, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int run_file(const char *path)
{
    uint8_t *seed = malloc(LARGEST), *work = malloc(LARGEST);
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f || !seed || !work) {
        perror(path);
        return 1;
    }
    n = fread(seed, 1, LARGEST, f);
    fclose(f);
    run(seed, n);
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(work, seed, n);
        run(work, change(work, n));
    }
    free(seed);
    free(work);
    return 0;
}

static int run_path(const char *path)
{
    char name[4096];
    struct stat st;
    struct dirent *e;
    int failed = 0;
    DIR *d;

    if (stat(path, &st) != 0)
        return 0; /* a fuzzer without a corpus yet */
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        failed |= run_file(name);
    }
    if (d)
        closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        failed |= run_path(argv[i]);
    return failed;
}
