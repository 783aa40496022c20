/* SPDX-License-Identifier: Apache-2.0 */
/* modules.h - signature files from the server's mirror: a manifest signed by the module key says what belongs to a
 * version; a set is tried in a process apart, put into the engine's folder, and kept only when the engine proves to
 * work with it. The checks are pure; the installation blocks and belongs to a short-lived privileged process. */
#ifndef SEKISHO_AGENT_MODULES_H
#define SEKISHO_AGENT_MODULES_H

#include "agent/engine.h"
#include "common/arena.h"
#include "wire/agent.gen.h"

#define MODULES_MANIFEST_MAX  (256 * 1024) /* bytes */
#define MODULES_SIGNATURE_MAX 200
#define MODULES_FILES_MAX     64

/* What came out, as the message code of a task's result; static strings. */
#define MODULES_UPDATED   "modules_updated" /* version */
#define MODULES_CURRENT   "modules_current" /* version */
#define MODULES_OLDER     "modules_older"   /* offered, installed */
#define MODULES_UNSIGNED  "modules_signature_invalid"
#define MODULES_MALFORMED "modules_manifest_invalid" /* reason */
#define MODULES_DAMAGED   "modules_damaged"          /* file */
#define MODULES_REJECTED  "modules_rejected"         /* reason */
#define MODULES_UNWRITTEN "modules_not_written"      /* reason */

/* Signature (hex, blanks around it allowed) over the exact bytes, then form and names. RC_INVALID with a code, and a
 * reason in words for MODULES_MALFORMED. */
enum rc modules_verify(struct arena *a, const uint8_t key[32], struct slice manifest, struct slice signature,
                       struct wire_module_manifest *ret, const char **ret_code, const char **ret_reason) MUST_CHECK;

/* What is installed: version 0 when nothing ever was. state_dir is the privileged process's folder. */
struct modules_installed {
    int64_t version;
    usec_t issued;
};
struct modules_installed modules_read_installed(const char *state_dir);

struct modules_outcome {
    const char *code;
    char args[2][200];
    size_t n_args;
};

struct modules_place {
    const char *state_dir;
    const char *signatures_dir;
    const struct engine_driver *driver;
    struct engine *engine;
    int reload_timeout_ms;
};

/* Takes open files in the manifest's order; they are copied before they are looked at, so their owner cannot change
 * them behind the check. RC_OK with MODULES_UPDATED or MODULES_CURRENT. On everything else the old set is in place
 * again. */
enum rc modules_install(const struct modules_place *p, const uint8_t key[32], struct slice manifest,
                        struct slice signature, const int *fds, size_t n_fds, struct modules_outcome *ret) MUST_CHECK;
/* At start: puts back what an installation that was cut off had moved aside. */
void modules_recover(const char *state_dir, const char *signatures_dir);

/* Time of the newest signature file of the folder; 0: none. For sets that carry no date of their own. */
usec_t modules_newest_file(const char *signatures_dir);
/* A number that changes when the folder's files change. */
uint64_t modules_fingerprint(const char *signatures_dir);

#endif
