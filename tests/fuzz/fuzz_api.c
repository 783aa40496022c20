/* SPDX-License-Identifier: Apache-2.0 */
/* links: handler common */
/* fuzz_api.c - any bytes into the decoders of the console's contract: bodies, and after '?' a query string of the
 * device or the detection list. Seeds: corpus/fuzz_api. */
#include "fuzz_codecs.h"
#include "handler/api.gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void query(struct slice in)
{
    struct arena *a = arena_new(1u << 20);
    struct api_device_list_request devices = {0};
    struct api_detection_list_request detections = {0};
    struct decode_error e = {0};

    if (decode_query(a, &api_device_list_query_desc, in, &devices, &e) == RC_OK) {
        must(devices.limit >= 1 && devices.limit <= 200);
        must(!devices.search.p || (slice_utf8(devices.search) && utf8_count(devices.search) <= 100));
    } else {
        must(e.code && slice_utf8(slice_of(e.field)));
    }
    if (decode_query(a, &api_detection_list_query_desc, in, &detections, &e) == RC_OK)
        must((unsigned)detections.sort < API_DETECTION_LIST_SORT_COUNT);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_mem(data, size);

    if (size && data[0] == '?')
        query(slice_mem(data + 1, size - 1));
    else
        fuzz_codecs(api_messages, api_messages_count, in);
    return 0;
}
