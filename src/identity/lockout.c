/* SPDX-License-Identifier: Apache-2.0 */
/* lockout.c - see lockout.h. A table of fixed size in which a new name takes the place of whichever stood there: an
 * attacker can push entries out only by failing at other names, which the limit per address slows down. */
#include "identity/lockout.h"
#include "store/account.h"
#include <pthread.h>

#define PLACES 8192

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct sha256 name;
    int failures;
    usec_t until;
} places[PLACES];

static size_t place_of(const struct sha256 *name)
{
    return ((size_t)name->b[0] << 8 | name->b[1]) % PLACES;
}

usec_t lockout_until(const struct sha256 *name, usec_t now)
{
    size_t i = place_of(name);
    usec_t until = 0;
    pthread_mutex_lock(&lock);
    if (memcmp(&places[i].name, name, sizeof *name) == 0 && places[i].until > now)
        until = places[i].until;
    pthread_mutex_unlock(&lock);
    return until;
}

void lockout_failed(const struct sha256 *name, usec_t now)
{
    size_t i = place_of(name);
    pthread_mutex_lock(&lock);
    if (memcmp(&places[i].name, name, sizeof *name) != 0) {
        places[i].name = *name;
        places[i].failures = 0;
        places[i].until = 0;
    }
    int over = ++places[i].failures - ACCOUNT_LOCK_FROM;
    if (over >= 0) {
        int64_t seconds = over < 10 ? (int64_t)ACCOUNT_LOCK_SECONDS << over : ACCOUNT_LOCK_MOST;
        places[i].until = now + (seconds < ACCOUNT_LOCK_MOST ? seconds : ACCOUNT_LOCK_MOST) * USEC_PER_SEC;
    }
    pthread_mutex_unlock(&lock);
}

struct sha256 lockout_name(struct slice tenant, struct slice user)
{
    struct sha256_stream *s = sha256_stream_new();
    struct slice parts[] = {tenant, SLICE("/"), user};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < parts[k].n; i++) {
            char c = parts[k].p[i];
            c = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            sha256_stream_add(s, &c, 1);
        }
    return sha256_stream_end(&s);
}
