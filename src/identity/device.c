/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - see device.h. The hint to other replicas carries the device alone; they forget its verdicts and ask the
 * database anew. Each replica's own wake-up streams are ended by push/. */
#include "identity/device.h"
#include "cache/cache.h"
#include "identity/device_private.h"
#include "identity/pins.h"
#include "push/wake.h"

#define CHANNEL "sekisho:device-cut"

static void cut_elsewhere(struct slice message, void *arg)
{
    struct uuid device;
    (void)arg;
    if (uuid_parse(message, &device))
        pins_drop_device(device);
}

/* Hints were missed while the connection was away. */
static void heard_again(void)
{
    pins_drop_all();
}

void device_start(void)
{
    cache_subscribe(CHANNEL, cut_elsewhere, NULL);
    cache_on_return(heard_again);
}

void device_cut(int tenant_no, struct uuid device)
{
    char text[UUID_TEXT_SIZE];
    pins_drop_device(device);
    cache_publish(CHANNEL, slice_of(uuid_text(device, text)));
    wake_cut(tenant_no, device);
}
