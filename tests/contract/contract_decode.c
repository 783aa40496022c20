/* SPDX-License-Identifier: Apache-2.0 */
/* links: handler wire common */
/* contract_decode.c - the C decoders as a filter. Each line of standard input is "api <Schema> <json>" or "wire
 * <message> <json>"; each line of output is "ok <json as we encode it>" or "<code> <field>". Used by corpus.mjs. */
#include "common/encode.h"
#include "common/must.h"
#include "handler/api.gen.h"
#include "wire/agent.gen.h"
#include <stdio.h>
#include <stdlib.h>

static const struct message_desc *find(struct slice kind, struct slice name)
{
    bool api = slice_eq(kind, SLICE("api"));
    const struct message_desc *const *messages = api ? api_messages : wire_messages;
    size_t n = api ? api_messages_count : wire_messages_count;

    for (size_t i = 0; i < n; i++) {
        if (slice_eq(name, slice_of(messages[i]->name)))
            return messages[i];
    }
    return NULL;
}

static void answer(struct slice line)
{
    const struct json_limits limits = {16u << 20, 64, 1000000};
    struct slice kind = slice_cut(&line, ' '), name = slice_cut(&line, ' ');
    const struct message_desc *desc = find(kind, name);
    struct arena *a = arena_new(64u << 20);
    struct decode_error e = {0};
    struct json_writer w;
    struct strbuf out;
    void *message;

    must(desc);
    message = arena_alloc(a, desc->size);
    if (decode_text(a, desc, line, limits, message, &e) != RC_OK) {
        printf("%s %s\n", e.code, e.field);
    } else {
        must(encode_check(desc, message, &e) == RC_OK);
        strbuf_init_arena(&out, a, 32u << 20);
        json_start(&w, &out);
        encode_message(&w, desc, message);
        printf("ok " SLICE_FMT "\n", SLICE_ARG(strbuf_slice(&out)));
    }
    arena_free(&a);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, stdin)) > 0)
        answer(slice_trim(slice_mem(line, (size_t)n)));
    free(line);
    return 0;
}
