/* SPDX-License-Identifier: Apache-2.0 */
/* test_crypto.c - known answers, and that each bit of a sealed secret counts. */
/* links: common */
#include "unit.h"

#include "common/crypto.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <pthread.h>

static struct arena *arena;
static char *folder;
static char *path;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 24);
    folder = unit_folder();
    path = arena_printf(arena, "%s/keyring", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unit_folder_remove(folder);
    arena_free(&arena);
    return 0;
}

static struct slice unhex(const char *text)
{
    size_t n = strlen(text) / 2;
    uint8_t *out = arena_alloc(arena, n);

    assert_true(slice_unhex(slice_of(text), out, n, &n));
    return slice_mem(out, n);
}

static void assert_hex(const void *p, size_t n, const char *text)
{
    struct strbuf b;

    strbuf_init_arena(&b, arena, 1 << 20);
    strbuf_add_hex(&b, p, n);
    assert_slice(strbuf_slice(&b), text);
}

static void assert_sha256(struct sha256 h, const char *text)
{
    assert_hex(h.b, sizeof(h.b), text);
}

/* FIPS 180-4. */
static void sha256_known_answers(void **state)
{
    char *million = arena_alloc(arena, 1000000);

    (void)state;
    memset(million, 'a', 1000000);
    assert_sha256(crypto_sha256(SLICE_NONE), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256(crypto_sha256(SLICE("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256(crypto_sha256(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_sha256(crypto_sha256(slice_mem(million, 1000000)),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void a_stream_makes_the_same_hash(void **state)
{
    (void)state;
    random_seed(18);
    for (int i = 0; i < 200; i++) {
        struct sha256_stream *s = sha256_stream_new();
        char data[1000];
        size_t n = random_below(sizeof(data));
        struct sha256 h;

        random_bytes(data, sizeof(data));
        for (size_t at = 0; at < n;) {
            size_t part = 1 + random_below(n - at);

            sha256_stream_add(s, data + at, part);
            at += part;
        }
        h = sha256_stream_end(&s);
        assert_null(s);
        assert_memory_equal(h.b, crypto_sha256(slice_mem(data, n)).b, sizeof(h.b));
    }
    random_seed(0);
}

/* RFC 4231 cases 1 to 4, 6 and 7. */
static void hmac_known_answers(void **state)
{
    static const struct {
        const char *key;
        const char *data;
        const char *mac;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    };
    char long_key[131];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_sha256(crypto_hmac_sha256(unhex(cases[i].key), unhex(cases[i].data)), cases[i].mac);
    memset(long_key, 0xaa, sizeof(long_key));
    assert_sha256(crypto_hmac_sha256(slice_mem(long_key, sizeof(long_key)),
                                     SLICE("Test Using Larger Than Block-Size Key - Hash Key First")),
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_sha256(crypto_hmac_sha256(slice_mem(long_key, sizeof(long_key)),
                                     SLICE("This is a test using a larger than block-size key and a larger than "
                                           "block-size data. The key needs to be hashed before being used by the HMAC "
                                           "algorithm.")),
                  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    assert_sha256(crypto_hmac_sha256(SLICE_NONE, SLICE_NONE),
                  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* The AES-256 cases 13, 14 and 16 of the specification of GCM. */
static void a_foreign_box_opens(void **state)
{
    struct slice zero_key = unhex("0000000000000000000000000000000000000000000000000000000000000000");
    struct slice key = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    struct slice plain;

    (void)state;
    assert_int_equal(crypto_box_open(arena, (const uint8_t *)zero_key.p, SLICE_NONE,
                                     unhex("000000000000000000000000530f8afbc74536b9a963b4f1c4cb738b"), &plain),
                     RC_OK);
    assert_int_equal(plain.n, 0);
    assert_int_equal(crypto_box_open(arena, (const uint8_t *)zero_key.p, SLICE_NONE,
                                     unhex("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18"
                                           "d0d1c8a799996bf0265b98b5d48ab919"),
                                     &plain),
                     RC_OK);
    assert_hex(plain.p, plain.n, "00000000000000000000000000000000");
    assert_int_equal(
        crypto_box_open(arena, (const uint8_t *)key.p, unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
                        unhex("cafebabefacedbaddecaf888"
                              "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
                              "56828838c5f61e6393ba7a0abcc9f662"
                              "76fc6ece0f4e1768cddf8853bb2d551b"),
                        &plain),
        RC_OK);
    assert_hex(plain.p, plain.n,
               "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
               "b16aedf5aa0de657ba637b39");
}

static void each_bit_of_a_box_counts(void **state)
{
    uint8_t key[32] = {1};
    struct slice box = crypto_box_seal(arena, key, SLICE("context"), SLICE("secret"));
    struct slice plain = SLICE("untouched");

    (void)state;
    assert_int_equal(box.n, 6 + 28);
    for (size_t at = 0; at < box.n; at++) {
        char *copy = arena_alloc(arena, box.n);

        memcpy(copy, box.p, box.n);
        copy[at] ^= 0x10;
        assert_int_equal(crypto_box_open(arena, key, SLICE("context"), slice_mem(copy, box.n), &plain), RC_INVALID);
        assert_int_equal(crypto_box_open(arena, key, SLICE("context"), slice_mem(box.p, at), &plain), RC_INVALID);
    }
    assert_int_equal(crypto_box_open(arena, key, SLICE("contexT"), box, &plain), RC_INVALID);
    assert_int_equal(crypto_box_open(arena, key, SLICE_NONE, box, &plain), RC_INVALID);
    key[31] ^= 1;
    assert_int_equal(crypto_box_open(arena, key, SLICE("context"), box, &plain), RC_INVALID);
    key[31] ^= 1;
    assert_slice(plain, "untouched");
    assert_int_equal(crypto_box_open(arena, key, SLICE("context"), box, &plain), RC_OK);
    assert_slice(plain, "secret");
}

static void boxes_never_repeat_even_with_a_fixed_seed(void **state)
{
    uint8_t key[32] = {2};
    struct slice boxes[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        random_seed(1);
        boxes[i] = crypto_box_seal(arena, key, SLICE_NONE, SLICE("the same"));
    }
    random_seed(0);
    assert_memory_not_equal(boxes[0].p, boxes[1].p, 12);
}

static void boxes_of_all_sizes(void **state)
{
    uint8_t key[32] = {3};

    (void)state;
    for (size_t n = 0; n < 5000; n = n * 3 / 2 + 1) {
        char *data = arena_alloc(arena, n);
        struct slice plain;

        random_bytes(data, n);
        assert_int_equal(crypto_box_open(arena, key, slice_mem(data, n),
                                         crypto_box_seal(arena, key, slice_mem(data, n), slice_mem(data, n)), &plain),
                         RC_OK);
        assert_true(slice_eq(plain, slice_mem(data, n)));
    }
}

/* RFC 8032 section 7.1, tests 1 to 3. */
static void ed25519_known_answers(void **state)
{
    static const struct {
        const char *private_key;
        const char *public_key;
        const char *msg;
        const char *sig;
    } cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct slice private_key = unhex(cases[i].private_key);
        struct slice public_key = unhex(cases[i].public_key);
        struct slice msg = unhex(cases[i].msg);
        uint8_t sig[64];

        crypto_ed25519_sign((const uint8_t *)private_key.p, msg, sig);
        assert_hex(sig, sizeof(sig), cases[i].sig);
        assert_true(crypto_ed25519_verify((const uint8_t *)public_key.p, msg, sig));
        assert_false(crypto_ed25519_verify((const uint8_t *)public_key.p, SLICE("other"), sig));
        for (int at = 0; at < 64; at += 7) {
            sig[at] ^= 1;
            assert_false(crypto_ed25519_verify((const uint8_t *)public_key.p, msg, sig));
            sig[at] ^= 1;
        }
    }
}

static void ed25519_new_keys_fit(void **state)
{
    uint8_t private_key[32];
    uint8_t public_key[32];
    uint8_t other[32];
    uint8_t sig[64];

    (void)state;
    crypto_ed25519_new(private_key, other);
    crypto_ed25519_new(private_key, public_key);
    assert_memory_not_equal(public_key, other, 32);
    crypto_ed25519_sign(private_key, SLICE("time"), sig);
    assert_true(crypto_ed25519_verify(public_key, SLICE("time"), sig));
    assert_false(crypto_ed25519_verify(other, SLICE("time"), sig));
    memset(other, 0xFF, sizeof(other)); /* not a point */
    assert_false(crypto_ed25519_verify(other, SLICE("time"), sig));
}

static void comparing_and_wiping(void **state)
{
    char secret[] = "secret";

    (void)state;
    assert_true(crypto_equal("abc", "abc", 3));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_true(crypto_equal("abc", "xyz", 0));
    crypto_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        assert_int_equal(secret[i], 0);
}

#define KEY_A "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B "b.2_x-Y FFfefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0\n"

static struct keyring *load(const char *text)
{
    struct keyring *k = NULL;

    unit_write(path, text, 0600);
    if (keyring_load(path, &k) != RC_OK)
        return NULL;
    return k;
}

static struct keyring *must_load(const char *text)
{
    struct keyring *k = load(text);

    assert_non_null(k);
    return k;
}

static void a_sealed_secret_opens(void **state)
{
    struct keyring *k = must_load("# keys\n\n  " KEY_A);
    struct slice plain;

    (void)state;
    for (size_t n = 0; n < 5000; n = n * 2 + 1) {
        char *data = arena_alloc(arena, n);
        struct slice sealed;

        random_bytes(data, n);
        sealed = keyring_seal(arena, k, SLICE("row 1"), slice_mem(data, n));
        assert_int_equal(keyring_open(arena, k, SLICE("row 1"), sealed, &plain), RC_OK);
        assert_true(slice_eq(plain, slice_mem(data, n)));
        assert_int_equal(keyring_open(arena, k, SLICE("row 2"), sealed, &plain), RC_INVALID);
        assert_false(keyring_stale(k, sealed));
    }
    keyring_free(&k);
    assert_null(k);
    keyring_free(&k);
}

static void each_bit_of_a_sealed_secret_counts(void **state)
{
    struct keyring *k = must_load(KEY_A KEY_B);
    struct slice sealed = keyring_seal(arena, k, SLICE("c"), SLICE("secret"));
    struct slice plain = SLICE("untouched");

    (void)state;
    for (size_t at = 0; at < sealed.n; at++)
        for (int bit = 0; bit < 8; bit++) {
            char *copy = arena_alloc(arena, sealed.n);

            memcpy(copy, sealed.p, sealed.n);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            assert_int_equal(keyring_open(arena, k, SLICE("c"), slice_mem(copy, sealed.n), &plain), RC_INVALID);
            keyring_stale(k, slice_mem(copy, sealed.n));
        }
    for (size_t n = 0; n < sealed.n; n++) {
        assert_int_equal(keyring_open(arena, k, SLICE("c"), slice_mem(sealed.p, n), &plain), RC_INVALID);
        keyring_stale(k, slice_mem(sealed.p, n));
    }
    assert_slice(plain, "untouched");
    keyring_free(&k);
}

/* The body of one secret behind the head of another: both sealed here, in one context. */
static void parts_cannot_be_exchanged(void **state)
{
    struct keyring *k = must_load(KEY_A);
    struct slice a = keyring_seal(arena, k, SLICE("c"), SLICE("secret"));
    struct slice b = keyring_seal(arena, k, SLICE("c"), SLICE("SECRET"));
    char *mixed = arena_alloc(arena, a.n);
    struct slice plain;

    (void)state;
    memcpy(mixed, a.p, a.n);
    memcpy(mixed + a.n - 34, b.p + b.n - 34, 34);
    assert_int_equal(keyring_open(arena, k, SLICE("c"), slice_mem(mixed, a.n), &plain), RC_INVALID);
    keyring_free(&k);
}

static void old_keys_open_and_the_newest_seals(void **state)
{
    struct keyring *old = must_load(KEY_A);
    struct slice sealed = keyring_seal(arena, old, SLICE_NONE, SLICE("secret"));
    struct keyring *both = must_load(KEY_A KEY_B);
    struct keyring *fresh = must_load(KEY_B);
    struct slice plain;

    (void)state;
    assert_int_equal(keyring_open(arena, both, SLICE_NONE, sealed, &plain), RC_OK);
    assert_true(keyring_stale(both, sealed));
    assert_int_equal(keyring_open(arena, fresh, SLICE_NONE, sealed, &plain), RC_INVALID);
    sealed = keyring_seal(arena, both, SLICE_NONE, SLICE("secret"));
    assert_false(keyring_stale(both, sealed));
    assert_int_equal(keyring_open(arena, old, SLICE_NONE, sealed, &plain), RC_INVALID);
    assert_int_equal(keyring_open(arena, fresh, SLICE_NONE, sealed, &plain), RC_OK);
    keyring_free(&old);
    keyring_free(&both);
    keyring_free(&fresh);
}

static void bad_rings_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "# nothing\n",
        "k1\n",
        "k1 00\n",
        "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n",
        "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\n",
        "k/1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        "an-id-that-is-longer-than-32-chars 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        KEY_A KEY_A,
        KEY_A "rubbish\n",
    };
    struct keyring *k = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_write(path, bad[i], 0600);
        assert_int_equal(keyring_load(path, &k), RC_INVALID);
        assert_null(k);
    }
    assert_int_equal(keyring_load("/none/keyring", &k), RC_NOT_FOUND);
    unit_write(path, KEY_A, 0640);
    assert_int_equal(keyring_load(path, &k), RC_DENIED);
    unit_write(path, KEY_A, 0604);
    assert_int_equal(keyring_load(path, &k), RC_DENIED);
    unit_write(path, KEY_A, 0400);
    assert_int_equal(keyring_load(path, &k), RC_OK);
    keyring_free(&k);
}

static void a_ring_is_created_once(void **state)
{
    struct keyring *k = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(keyring_create(path), RC_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keyring_create(path), RC_CONFLICT);
    assert_int_equal(keyring_load(path, &k), RC_OK);
    keyring_free(&k);
    assert_int_equal(keyring_create("/none/keyring"), RC_NOT_FOUND);
}

static void rotation_appends(void **state)
{
    struct keyring *before = NULL;
    struct keyring *after = NULL;
    const char *reason = "none";
    struct slice sealed;
    struct slice plain;
    struct slice text;

    (void)state;
    assert_int_equal(keyring_create(path), RC_OK);
    assert_int_equal(keyring_load(path, &before), RC_OK);
    sealed = keyring_seal(arena, before, SLICE("c"), SLICE("secret"));
    for (int i = 0; i < 5; i++)
        assert_int_equal(keyring_rotate(path, &reason), RC_OK);
    assert_string_equal(reason, "none");
    assert_int_equal(keyring_load(path, &after), RC_OK);
    assert_true(keyring_stale(after, sealed));
    assert_int_equal(keyring_open(arena, after, SLICE("c"), sealed, &plain), RC_OK);
    sealed = keyring_seal(arena, after, SLICE("c"), plain);
    assert_false(keyring_stale(after, sealed));
    assert_int_equal(keyring_open(arena, before, SLICE("c"), sealed, &plain), RC_INVALID);
    assert_int_equal(file_read(arena, path, 10000, &text), RC_OK);
    assert_non_null(strstr(text.p, "\nk6 "));
    keyring_free(&before);
    keyring_free(&after);
}

static void rotation_keeps_comments_and_finds_a_free_id(void **state)
{
    const char *reason = NULL;
    struct slice text;

    (void)state;
    unit_write(path, "# mine\nk2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0600);
    assert_int_equal(keyring_rotate(path, &reason), RC_OK);
    assert_int_equal(file_read(arena, path, 10000, &text), RC_OK);
    assert_true(slice_starts(text, SLICE("# mine\nk2 0001")));
    assert_non_null(strstr(text.p, "\nk3 "));
}

static void rotation_explains_refusals(void **state)
{
    const char *reason = NULL;

    (void)state;
    assert_int_equal(keyring_rotate("/none/keyring", &reason), RC_NOT_FOUND);
    assert_non_null(strstr(reason, "does not exist"));
    unit_write(path, "rubbish\n", 0600);
    assert_int_equal(keyring_rotate(path, &reason), RC_INVALID);
    assert_non_null(strstr(reason, "form"));
    unit_write(path, KEY_A, 0644);
    assert_int_equal(keyring_rotate(path, &reason), RC_DENIED);
    assert_non_null(strstr(reason, "0600"));
}

static void *seal_much(void *ring)
{
    struct arena *a = arena_new(1 << 20);
    int good = 0;

    for (int i = 0; i < 200; i++) {
        struct slice plain;
        struct slice sealed = keyring_seal(a, ring, SLICE("c"), SLICE("secret"));

        if (keyring_open(a, ring, SLICE("c"), sealed, &plain) == RC_OK && slice_eq(plain, SLICE("secret")))
            good++;
        crypto_sha256(sealed);
        arena_reset(a);
    }
    arena_free(&a);
    return good == 200 ? ring : NULL;
}

static void threads_share_a_ring(void **state)
{
    struct keyring *k = must_load(KEY_A);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, seal_much, k), 0);
    for (int i = 0; i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        assert_ptr_equal(result, k);
    }
    keyring_free(&k);
}

#define CRYPTO_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CRYPTO_TEST(sha256_known_answers),       CRYPTO_TEST(a_stream_makes_the_same_hash),
        CRYPTO_TEST(hmac_known_answers),         CRYPTO_TEST(a_foreign_box_opens),
        CRYPTO_TEST(each_bit_of_a_box_counts),   CRYPTO_TEST(boxes_never_repeat_even_with_a_fixed_seed),
        CRYPTO_TEST(boxes_of_all_sizes),         CRYPTO_TEST(ed25519_known_answers),
        CRYPTO_TEST(ed25519_new_keys_fit),       CRYPTO_TEST(comparing_and_wiping),
        CRYPTO_TEST(a_sealed_secret_opens),      CRYPTO_TEST(each_bit_of_a_sealed_secret_counts),
        CRYPTO_TEST(parts_cannot_be_exchanged),  CRYPTO_TEST(old_keys_open_and_the_newest_seals),
        CRYPTO_TEST(bad_rings_are_refused),      CRYPTO_TEST(a_ring_is_created_once),
        CRYPTO_TEST(rotation_appends),           CRYPTO_TEST(rotation_keeps_comments_and_finds_a_free_id),
        CRYPTO_TEST(rotation_explains_refusals), CRYPTO_TEST(threads_share_a_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
