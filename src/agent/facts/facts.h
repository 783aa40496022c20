/* SPDX-License-Identifier: Apache-2.0 */
/* facts.h - what this computer is: one function per kind of fact, each reads files under the configured root and adds
 * rows. A source that is missing or malformed leaves its fields out; nothing here fails. Blocks for reading files of
 * the kernel and the package database, never for the network. */
#ifndef SEKISHO_AGENT_FACTS_H
#define SEKISHO_AGENT_FACTS_H

#include "agent/config.h"
#include "wire/agent.gen.h"
#include "wire/digest.h"

#define FACT_KEY_MAX   300
#define FACT_VALUE_MAX 16384
#define FACT_ROWS_MAX  20000

/* Rows of one kind; key and value texts are of the arena. */
struct fact_rows {
    struct arena *a;
    struct wire_digest_row *v;
    size_t n;
    size_t cap;
};

void facts_identity(const struct agent_config *cfg, const char *agent_version, struct fact_rows *ret);
void facts_os(const struct agent_config *cfg, struct fact_rows *ret);
void facts_hardware(const struct agent_config *cfg, struct fact_rows *ret);
void facts_network(const struct agent_config *cfg, struct fact_rows *ret);
void facts_software(const struct agent_config *cfg, struct fact_rows *ret);
void facts_users(const struct agent_config *cfg, struct fact_rows *ret);

/* A number that changes when the files behind a kind have: their times and sizes put together. 0: cannot be told. */
uint64_t facts_software_stamp(const struct agent_config *cfg);
uint64_t facts_users_stamp(const struct agent_config *cfg);

struct facts_filesystem {
    const char *mount;
    const char *type;
    uint64_t size;
    uint64_t free;
};
/* Local filesystems, each device once; memory of the arena. */
size_t facts_filesystems(const struct agent_config *cfg, struct arena *a, struct facts_filesystem **ret);
/* Host name; never empty ("unknown" at worst). */
const char *facts_hostname(const struct agent_config *cfg, struct arena *a);
/* SHA-256 hex of the machine's id, or "" when there is none. */
const char *facts_machine_id(const struct agent_config *cfg, struct arena *a);
const char *facts_boot_id(const struct agent_config *cfg, struct arena *a);
bool facts_restart_required(const struct agent_config *cfg);

/* --- for the readers */

/* Adds a row; key and value are copied. A row that breaks the protocol's limits is left out. */
void fact_add(struct fact_rows *rows, struct slice key, const struct strbuf *value);
/* Content of a file under the root, trimmed; empty when it cannot be read. */
struct slice fact_file(const struct agent_config *cfg, struct arena *a, const char *path, size_t ceiling);
/* Cut to max bytes without splitting a UTF-8 character; bytes that are not UTF-8 become '?'. */
struct slice fact_text(struct arena *a, struct slice s, size_t max);
/* Value of "KEY=value" or KEY="value" in a shell-like file; empty when absent. */
struct slice fact_variable(struct arena *a, struct slice text, const char *key);

#endif
