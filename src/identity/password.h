/* SPDX-License-Identifier: Apache-2.0 */
/* password.h - hashing (Argon2id) and policy of passwords. Hashing takes about 64 MiB and 0.2 s of CPU: slow workers
 * and the CLI only; more than PASSWORD_PARALLEL at once wait here. Thread-safe. */
#ifndef SEKISHO_PASSWORD_H
#define SEKISHO_PASSWORD_H

#include "common/arena.h"
#include "common/rc.h"

#define PASSWORD_MEMORY_KIB  (64 * 1024)
#define PASSWORD_PASSES      3
#define PASSWORD_LANES       1
#define PASSWORD_PARALLEL    2
#define PASSWORD_LEAST_CHARS 12
#define PASSWORD_MOST_BYTES  1024

/* Encoded form ("$argon2id$v=19$m=65536,t=3,p=1$..."), for account.password_hash. */
enum rc password_hash(struct arena *a, struct slice password, struct slice *ret) MUST_CHECK;
/* For what password_new drew: with 100 bits of chance a slow hash adds nothing, and tenants are made faster. Checking
 * it takes as long as any. */
enum rc password_hash_random(struct arena *a, struct slice password, struct slice *ret) MUST_CHECK;
/* RC_OK: it fits; RC_DENIED: it does not; RC_INTERNAL: encoded is damaged. */
enum rc password_verify(struct slice encoded, struct slice password) MUST_CHECK;
/* Takes as long as password_verify and always denies: for names that do not exist. */
void password_verify_nobody(struct slice password);
bool password_stale(struct slice encoded); /* made with other parameters: hash anew at the next sign-in */

enum password_fault { PASSWORD_GOOD, PASSWORD_SHORT, PASSWORD_LONG, PASSWORD_IS_NAME, PASSWORD_COMMON, PASSWORD_PLAIN };
/* name: the account's own, tenant: its tenant's id; neither may be the password's substance. */
enum password_fault password_check(struct slice password, struct slice name, struct slice tenant);
const char *password_fault_text(enum password_fault f, bool japanese); /* for {reason} */

/* A random one for first sign-ins: 20 characters without those that look alike. */
struct slice password_new(struct arena *a);

#endif
