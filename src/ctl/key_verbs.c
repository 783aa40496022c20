/* SPDX-License-Identifier: Apache-2.0 */
/* key_verbs.c - sekishoctl key, certificate and module: what needs the keyring or the platform's keys. */
#include "common/file.h"
#include "ctl/ctl.h"
#include "identity/pki.h"
#include "provision/bootstrap.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int verb_key_init(struct ctl *c)
{
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = keyring_create(c->params.keyring);
    if (rc == RC_CONFLICT)
        return ctl_fail(c, EXIT_REFUSED, "The keyring %s exists already; sekishoctl key rotate appends a key",
                        c->params.keyring);
    if (rc != RC_OK)
        return ctl_fail(c, EXIT_INPUT, "The keyring %s cannot be written (%s)", c->params.keyring, rc_name(rc));
    ctl_put(c, "keyring", slice_of(c->params.keyring));
    ctl_say(c, "keyring %s made; back it up apart from the database: without it no secret opens", c->params.keyring);
    return ctl_flush(c, EXIT_DONE);
}

int verb_key_rotate(struct ctl *c)
{
    const char *why = NULL;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = keyring_rotate(c->params.keyring, &why);
    if (rc != RC_OK)
        return ctl_fail(c, EXIT_INPUT, "The keyring %s was not changed: %s", c->params.keyring,
                        why ? why : rc_name(rc));
    ctl_put(c, "keyring", slice_of(c->params.keyring));
    ctl_say(c, "a key was appended to %s; send SIGHUP to all servers, then run: sekishoctl key reseal",
            c->params.keyring);
    return ctl_flush(c, EXIT_DONE);
}

int verb_key_reseal(struct ctl *c)
{
    bool dry = ctl_flag(c, "--dry-run");
    int64_t n;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = keys_reseal(&c->owner, dry, &n);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put_int(c, "secrets", n);
    ctl_put_bool(c, "dry_run", dry);
    ctl_say(c, "%lld secrets %s", (long long)n, dry ? "are sealed with an older key" : "sealed anew");
    return ctl_flush(c, EXIT_DONE);
}

/* ---- certificates */

static enum rc platform(struct ctl *c, const char *name, struct pki_pair *ret)
{
    struct sql_args args;
    struct rows r;
    enum rc rc = owner_keyring(&c->owner);

    args_init(&args, c->arena);
    args_str(&args, name);
    if (rc == RC_OK)
        rc = owner_statement(&c->owner, c->arena, "Reading the platform's keys", SQL_platform_find, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        return owner_fail(&c->owner, RC_NOT_FOUND, "The platform has no keys yet; run sekishoctl bootstrap first");
    *ret = (struct pki_pair){rows_slice(&r, 0, 0), rows_bytes(&r, c->arena, 0, 1)};
    return RC_OK;
}

int verb_certificate_root(struct ctl *c)
{
    struct pki_pair root;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = platform(c, PLATFORM_ROOT, &root);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "pem", root.public);
    if (!c->json)
        strbuf_add(&c->out, root.public);
    return ctl_flush(c, EXIT_DONE);
}

int verb_certificate_server(struct ctl *c)
{
    const char *texts[32];
    size_t n = ctl_options(c, "--name", texts, 32);
    const char *cert = ctl_option(c, "--cert", NULL);
    const char *key = ctl_option(c, "--key", NULL);
    const char *days_text = ctl_option(c, "--days", "397");
    struct slice names[32], chain, key_pem;
    struct pki_pair root;
    int days;
    enum rc rc;

    if (!ctl_complete(c,
                      n == 0 ? "--name"
                      : cert ? "--key"
                             : "--cert",
                      n && cert ? key : NULL) ||
        !ctl_int(c, "--days", days_text, 1, 825, &days))
        return EXIT_USAGE;
    for (size_t i = 0; i < n; i++)
        names[i] = slice_of(texts[i]);
    rc = platform(c, PLATFORM_ROOT, &root);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    rc = pki_server_certificate(c->arena, c->owner.ring, &root, names, n, days, &chain, &key_pem);
    if (rc != RC_OK)
        return ctl_fail(c, EXIT_INPUT, "The certificate could not be made; are all names host names or addresses?");
    if (file_write(key, key_pem, 0600) != RC_OK || file_write(cert, chain, 0644) != RC_OK)
        return ctl_fail(c, EXIT_INPUT, "%s or %s cannot be written", key, cert);
    ctl_put(c, "certificate", slice_of(cert));
    ctl_put(c, "key", slice_of(key));
    ctl_say(c, "certificate %s and key %s written, valid for %d days", cert, key, days);
    return ctl_flush(c, EXIT_DONE);
}

/* ---- the module mirror */

#define MODULE_FILES_MAX 64

static bool module_name(const char *s)
{
    if (*s == '.' || *s == 0 || strlen(s) > 100 || strcmp(s, "manifest.json") == 0 || strcmp(s, "manifest.sig") == 0)
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || strchr("._-", *s)))
            return false;
    return true;
}

static bool hash_file(const char *path, struct sha256 *ret, int64_t *ret_size)
{
    struct sha256_stream *s;
    char buffer[65536];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    s = sha256_stream_new();
    *ret_size = 0;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        sha256_stream_add(s, buffer, (size_t)n);
        *ret_size += n;
    }
    *ret = sha256_stream_end(&s);
    close(fd);
    return n == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t list_modules(struct ctl *c, const char *folder, const char *names[MODULE_FILES_MAX])
{
    DIR *d = opendir(folder);
    struct dirent *e;
    size_t n = 0;

    if (!d)
        return 0;
    while (n < MODULE_FILES_MAX && (e = readdir(d)) != NULL) {
        struct stat st;

        if (module_name(e->d_name) && stat(arena_printf(c->arena, "%s/%s", folder, e->d_name), &st) == 0 &&
            S_ISREG(st.st_mode))
            names[n++] = arena_strdup(c->arena, e->d_name);
    }
    closedir(d);
    if (n)
        qsort(names, n, sizeof(names[0]), by_name);
    return n;
}

static bool write_manifest(struct ctl *c, const char *folder, const char *name, int version, struct strbuf *b)
{
    const char *names[MODULE_FILES_MAX];
    size_t n = list_modules(c, folder, names);
    struct json_writer w;

    json_start(&w, b);
    json_object_open(&w);
    json_key(&w, "name");
    json_str(&w, slice_of(name));
    json_key(&w, "version");
    json_int(&w, version);
    json_key(&w, "issued");
    json_time(&w, clock_now());
    json_key(&w, "files");
    json_array_open(&w);
    for (size_t i = 0; i < n; i++) {
        struct strbuf hex;
        struct sha256 h;
        int64_t size;

        if (!hash_file(arena_printf(c->arena, "%s/%s", folder, names[i]), &h, &size))
            return false;
        strbuf_init_arena(&hex, c->arena, 64);
        strbuf_add_hex(&hex, h.b, sizeof(h.b));
        json_object_open(&w);
        json_key(&w, "name");
        json_str(&w, slice_of(names[i]));
        json_key(&w, "size");
        json_int(&w, size);
        json_key(&w, "sha256");
        json_str(&w, strbuf_slice(&hex));
        json_object_close(&w);
    }
    json_array_close(&w);
    json_object_close(&w);
    return n > 0;
}

int verb_module_sign(struct ctl *c)
{
    const char *name = ctl_option(c, "--name", "clamav");
    const char *version_text = ctl_option(c, "--version", NULL);
    const char *folder = ctl_next(c);
    uint8_t private_key[32], signature[64];
    struct strbuf manifest, sig;
    struct pki_pair pair;
    int version;
    enum rc rc;

    if (!ctl_complete(c, folder ? "--version" : "FOLDER", folder ? version_text : NULL) ||
        !ctl_int(c, "--version", version_text, 1, 2147483647, &version))
        return EXIT_USAGE;
    strbuf_init_arena(&manifest, c->arena, 256 * 1024);
    if (!write_manifest(c, folder, name, version, &manifest))
        return ctl_fail(c, EXIT_INPUT, "%s holds no module files that can be read (names of a-z, 0-9, dot, _ and -)",
                        folder);
    rc = platform(c, PLATFORM_MODULE, &pair);
    if (rc == RC_OK &&
        pki_signing_key_open(c->arena, c->owner.ring, PLATFORM_MODULE, pair.sealed, private_key) != RC_OK)
        rc = owner_fail(&c->owner, RC_INVALID, "The platform's module key does not open with the keyring %s",
                        c->params.keyring);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    crypto_ed25519_sign(private_key, strbuf_slice(&manifest), signature);
    crypto_wipe(private_key, sizeof(private_key));
    strbuf_init_arena(&sig, c->arena, 256);
    strbuf_add_hex(&sig, signature, sizeof(signature));
    strbuf_add_char(&sig, '\n');
    if (file_write(arena_printf(c->arena, "%s/manifest.json", folder), strbuf_slice(&manifest), 0644) != RC_OK ||
        file_write(arena_printf(c->arena, "%s/manifest.sig", folder), strbuf_slice(&sig), 0644) != RC_OK)
        return ctl_fail(c, EXIT_INPUT, "The manifest cannot be written to %s", folder);
    ctl_put_int(c, "version", version);
    ctl_say(c, "%s signed as %s version %d", folder, name, version);
    return ctl_flush(c, EXIT_DONE);
}
