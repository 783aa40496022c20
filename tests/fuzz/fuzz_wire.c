/* SPDX-License-Identifier: Apache-2.0 */
/* links: wire common */
/* fuzz_wire.c - any bytes into the decoders of the agent protocol. Seeds: corpus/fuzz_wire. */
#include "fuzz_codecs.h"
#include "wire/agent.gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_codecs(wire_messages, wire_messages_count, slice_mem(data, size));
    return 0;
}
