/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the agent's configuration, a table (config.def). The file has lines "name = value"; '#' starts a comment;
 * unknown or repeated names refuse to start. Options of the command line win over the file. Read-only after loading, so
 * any process or thread may read it. */
#ifndef SEKISHO_AGENT_CONFIG_H
#define SEKISHO_AGENT_CONFIG_H

#include "common/arena.h"
#include "common/rc.h"
#include <stdio.h>

enum config_flag { CONFIG_SECRET = 1, CONFIG_REQUIRED = 2 };

struct config_list {
    const char *const *v;
    size_t n;
};

#define CONFIG_LIST_MAX 32

struct agent_config {
#define AGENT_STR(name, def, flags, help)                 const char *name; /* never NULL, "" when not set */
#define AGENT_ENUM(name, def, allowed, flags, help)       const char *name;
#define AGENT_INT(name, def, min, max, unit, flags, help) int64_t name;
#define AGENT_LIST(name, def, flags, help)                struct config_list name;
#include "agent/config.def"
#undef AGENT_STR
#undef AGENT_ENUM
#undef AGENT_INT
#undef AGENT_LIST
    struct arena *memory; /* holds all strings */
};

#define CONFIG_FILE_DEFAULT "/etc/sekisho-agent/agent.conf"

/* Defaults, then the file, then "name=value" overrides. A missing file is an error unless it is optional. On error
 * ret_why holds a sentence that names file, line, value and what is allowed. */
enum rc config_load(struct agent_config *ret, const char *file, bool optional, char *const *overrides,
                    size_t n_overrides, char *ret_why, size_t why_size) MUST_CHECK;
/* Whether all required values are there, for verbs that talk to the server. */
enum rc config_complete(const struct agent_config *cfg, char *ret_why, size_t why_size) MUST_CHECK;
void config_done(struct agent_config *cfg);
void config_print_help(FILE *f);

/* The enrolment token from token or token_file, in the arena; n = 0 when there is none. */
enum rc config_token(const struct agent_config *cfg, struct arena *a, struct slice *ret) MUST_CHECK;

/* root + path ("/proc/stat" -> "/fixture/proc/stat"), in the arena. */
const char *config_path(const struct agent_config *cfg, struct arena *a, const char *path);
/* state_dir + "/" + name, in the arena. agent/ belongs to the network process, protect/ to the privileged one. */
const char *config_state(const struct agent_config *cfg, struct arena *a, const char *name);

#endif
