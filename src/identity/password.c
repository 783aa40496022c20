/* SPDX-License-Identifier: Apache-2.0 */
/* password.c - see password.h. The only user of libargon2. Two hashes at once at most, whatever number of workers: each
 * holds 64 MiB and a core. */
#include "identity/password.h"
#include "common/crypto.h"
#include "common/must.h"
#include <argon2.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define SALT_BYTES        16
#define TAG_BYTES         32
#define ENCODED_LIMIT     256

#define RANDOM_MEMORY_KIB 1024

static sem_t places;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char nobody[ENCODED_LIMIT]; /* the hash of nothing that anyone knows, for equal time */

static enum rc encode(struct slice password, uint32_t memory_kib, uint32_t passes, char out[ENCODED_LIMIT])
{
    uint8_t salt[SALT_BYTES];
    crypto_random(salt, sizeof salt);
    int r = argon2id_hash_encoded(passes, memory_kib, PASSWORD_LANES, password.p, password.n, salt, sizeof salt,
                                  TAG_BYTES, out, ENCODED_LIMIT);
    return r == ARGON2_OK ? RC_OK : RC_INTERNAL;
}

/* n characters of base64 whose last one carries no bits. */
static void random_base64(char *p, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    crypto_random(p, n);
    for (size_t i = 0; i < n; i++)
        p[i] = alphabet[(uint8_t)p[i] % 64];
    p[n - 1] = 'A';
    p[n] = '\0';
}

/* Salt and tag are drawn, not computed: no password has such a hash, and checking one against it costs the same. */
static void prepare(void)
{
    char salt[(SALT_BYTES * 8 + 5) / 6 + 1], tag[(TAG_BYTES * 8 + 5) / 6 + 1];
    must(sem_init(&places, 0, PASSWORD_PARALLEL) == 0);
    random_base64(salt, sizeof salt - 1);
    random_base64(tag, sizeof tag - 1);
    snprintf(nobody, sizeof nobody, "$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", PASSWORD_MEMORY_KIB, PASSWORD_PASSES,
             PASSWORD_LANES, salt, tag);
}

static void place_take(void)
{
    pthread_once(&once, prepare);
    while (sem_wait(&places) != 0)
        ;
}

static enum rc hash(struct arena *a, struct slice password, uint32_t memory_kib, uint32_t passes, struct slice *ret)
{
    if (password.n == 0 || password.n > PASSWORD_MOST_BYTES)
        return RC_INVALID;
    char out[ENCODED_LIMIT];
    place_take();
    enum rc rc = encode(password, memory_kib, passes, out);
    sem_post(&places);
    if (rc == RC_OK)
        *ret = arena_copy(a, slice_of(out));
    return rc;
}

enum rc password_hash(struct arena *a, struct slice password, struct slice *ret)
{
    return hash(a, password, PASSWORD_MEMORY_KIB, PASSWORD_PASSES, ret);
}

enum rc password_hash_random(struct arena *a, struct slice password, struct slice *ret)
{
    return hash(a, password, RANDOM_MEMORY_KIB, 1, ret);
}

static enum rc verify(const char *encoded, struct slice password)
{
    place_take();
    int r = argon2id_verify(encoded, password.p, password.n);
    sem_post(&places);
    return r == ARGON2_OK ? RC_OK : r == ARGON2_VERIFY_MISMATCH ? RC_DENIED : RC_INTERNAL;
}

/* "m=65536" of a list of parameters. */
static bool parameter(struct slice *list, char name, int most)
{
    struct slice value = slice_cut(list, ',');
    int n;
    if (value.n < 3 || value.p[0] != name || value.p[1] != '=')
        return false;
    return slice_int(slice_mem(value.p + 2, value.n - 2), 1, most, &n);
}

/* The library takes memory and time from the encoded text: what our own code did not write is not run. */
static bool encoded_sane(struct slice encoded)
{
    struct slice prefix = SLICE("$argon2id$v=19$");
    if (!slice_starts(encoded, prefix))
        return false;
    struct slice rest = slice_mem(encoded.p + prefix.n, encoded.n - prefix.n), list = slice_cut(&rest, '$');
    return parameter(&list, 'm', 4 * PASSWORD_MEMORY_KIB) && parameter(&list, 't', 10) && parameter(&list, 'p', 4) &&
           list.n == 0;
}

enum rc password_verify(struct slice encoded, struct slice password)
{
    char text[ENCODED_LIMIT];
    if (encoded.n >= sizeof text || password.n > PASSWORD_MOST_BYTES)
        return RC_INTERNAL;
    memcpy(text, encoded.p, encoded.n);
    text[encoded.n] = '\0';
    if (!encoded_sane(encoded))
        return RC_INTERNAL;
    if (password_stale(encoded)) /* cheaper than others: that must not show */
        password_verify_nobody(password);
    return verify(text, password);
}

void password_verify_nobody(struct slice password)
{
    pthread_once(&once, prepare);
    (void)verify(nobody, slice_mem(password.p, password.n > PASSWORD_MOST_BYTES ? PASSWORD_MOST_BYTES : password.n));
}

bool password_stale(struct slice encoded)
{
    char prefix[64];
    int n = snprintf(prefix, sizeof prefix, "$argon2id$v=19$m=%d,t=%d,p=%d$", PASSWORD_MEMORY_KIB, PASSWORD_PASSES,
                     PASSWORD_LANES);
    return !slice_starts(encoded, slice_mem(prefix, (size_t)n));
}

/* Whole words that open most guesses; compared with the password without digits and signs at its ends. */
static const char *const common_words[] = {"password",
                                           "passwort",
                                           "passphrase",
                                           "passw0rd",
                                           "p@ssword",
                                           "p@ssw0rd",
                                           "changeme",
                                           "administrator",
                                           "admin",
                                           "welcome",
                                           "letmein",
                                           "qwerty",
                                           "qwertyuiop",
                                           "qwertyuiopasdfghjkl",
                                           "asdfghjkl",
                                           "zxcvbnm",
                                           "iloveyou",
                                           "sunshine",
                                           "princess",
                                           "football",
                                           "baseball",
                                           "superman",
                                           "trustno",
                                           "sekisho",
                                           "security",
                                           "secret",
                                           "default",
                                           "company",
                                           "computer",
                                           "internet",
                                           "correcthorsebatterystaple",
                                           "abcdefghijkl",
                                           "abcdefghijklmnopqrstuvwxyz",
                                           "qazwsxedcrfv",
                                           "onetwothree",
                                           "passwordpassword",
                                           "adminadmin",
                                           "adminadminadmin",
                                           "welcomewelcome",
                                           "letmeinletmein",
                                           "qwertyqwerty",
                                           "testtesttest",
                                           "test",
                                           "testtest",
                                           "user",
                                           "guest",
                                           "master",
                                           "konnichiwa",
                                           "arigatou",
                                           "sakura",
                                           "tokyo",
                                           "nippon",
                                           "himitsu",
                                           "doraemon"};

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

static size_t characters(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool contains_ignoring_case(struct slice s, struct slice part)
{
    for (size_t i = 0; part.n > 0 && i + part.n <= s.n; i++)
        if (slice_ieq(slice_mem(s.p + i, part.n), part))
            return true;
    return false;
}

/* Fewer than five different bytes, or each byte one more, one less or equal to the one before. */
static bool plain(struct slice s)
{
    bool seen[256] = {false};
    int different = 0;
    size_t steps = 0;
    for (size_t i = 0; i < s.n; i++) {
        different += !seen[(uint8_t)s.p[i]];
        seen[(uint8_t)s.p[i]] = true;
        int d = i > 0 ? s.p[i] - s.p[i - 1] : 2;
        steps += d >= -1 && d <= 1;
    }
    return different < 5 || steps + 1 >= s.n - 1;
}

enum password_fault password_check(struct slice password, struct slice name, struct slice tenant)
{
    if (password.n > PASSWORD_MOST_BYTES)
        return PASSWORD_LONG;
    if (characters(password) < PASSWORD_LEAST_CHARS)
        return PASSWORD_SHORT;
    if (plain(password))
        return PASSWORD_PLAIN;
    struct slice core = password;
    while (core.n > 0 && !letter(core.p[0])) {
        core.p++;
        core.n--;
    }
    while (core.n > 0 && !letter(core.p[core.n - 1]))
        core.n--;
    for (size_t i = 0; i < sizeof common_words / sizeof *common_words; i++)
        if (slice_ieq(core, slice_of(common_words[i])))
            return PASSWORD_COMMON;
    /* A name inside a long password is fine; a password that is little else is not. */
    if (name.n > 0 && contains_ignoring_case(password, name) && password.n - name.n < 8)
        return PASSWORD_IS_NAME;
    if (tenant.n > 0 && contains_ignoring_case(password, tenant) && password.n - tenant.n < 8)
        return PASSWORD_IS_NAME;
    return PASSWORD_GOOD;
}

const char *password_fault_text(enum password_fault f, bool japanese)
{
    switch (f) {
    case PASSWORD_SHORT:
        return japanese ? "12 文字以上にしてください" : "use at least 12 characters";
    case PASSWORD_LONG:
        return japanese ? "長すぎます" : "it is too long";
    case PASSWORD_IS_NAME:
        return japanese ? "ユーザー名や会社名がほとんどを占めています"
                        : "it is little more than the user's or the company's name";
    case PASSWORD_COMMON:
        return japanese ? "よく使われるパスワードです" : "it is one of those that are guessed first";
    case PASSWORD_PLAIN:
        return japanese ? "同じ文字の繰り返しや連番です" : "it repeats or counts the same characters";
    case PASSWORD_GOOD:
        break;
    }
    return "";
}

static unsigned draw_below(unsigned n)
{
    uint8_t b;
    do
        crypto_random(&b, 1);
    while (b >= 256 / n * n); /* else low values would come too often */
    return b % n;
}

struct slice password_new(struct arena *a)
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679";
    char *p = arena_alloc(a, 24);
    for (int i = 0; i < 23; i++) /* four groups of five, with dashes: people type it once */
        p[i] = i % 6 == 5 ? '-' : letters[draw_below(sizeof letters - 1)];
    return slice_mem(p, 23);
}
