/* SPDX-License-Identifier: Apache-2.0 */
/* pins.h - verdicts on client certificates by the hash of the leaf: what the database said, for 15 minutes at most, for
 * two seconds while hints of other replicas cannot be heard (Redis away). Thread-safe. */
#ifndef SEKISHO_PINS_H
#define SEKISHO_PINS_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

enum pin_verdict { PIN_GOOD, PIN_REVOKED, PIN_UNKNOWN, PIN_FOREIGN };

struct pin {
    enum pin_verdict verdict;
    int tenant_no; /* 0 when foreign to all */
    struct uuid device;
    usec_t expires; /* of the certificate; looked at by the reader at each request */
};

#define PINS_VALID_NS       (UINT64_C(900) * 1000000000)
#define PINS_VALID_ALONE_NS (UINT64_C(2) * 1000000000)
#define PINS_REFUSED_NS     (UINT64_C(5) * 1000000000) /* for all verdicts but good: a new certificate is soon seen */

void pins_start(void);
void pins_stop(void);
bool pins_find(const struct sha256 *leaf, struct pin *ret);
/* generation: pins_generation() before the database was asked. When a device was cut in between the verdict is not
 * kept. */
uint64_t pins_generation(void);
void pins_put(const struct sha256 *leaf, const struct pin *p, uint64_t generation);
void pins_drop_device(struct uuid device);
void pins_drop_all(void);

/* Good pins of at most max certificates that were used, ordered by tenant, for the check while Redis is away; the
 * caller frees *ret. */
struct pin_entry {
    struct sha256 leaf;
    int tenant_no;
    struct uuid device;
};
size_t pins_list(struct pin_entry **ret, size_t max);

#endif
