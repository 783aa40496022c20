/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - the server's configuration, a table (params.def): name, type, default, least, greatest, unit, flags,
 * prose. A configuration file has lines "name = value"; '#' at the start of a line or after a blank starts a comment; a
 * value in double quotes is taken as it is between them. Unknown or repeated names refuse to start. Afterwards
 * read-only, but for parameters marked reloadable, which params_reload replaces one by one; readers of any thread see
 * old or new. Strings are never freed, so a reader may keep one over a reload. */
#ifndef SEKISHO_PARAMS_H
#define SEKISHO_PARAMS_H

#include "common/rc.h"
#include "common/slice.h"
#include <stdio.h>

enum param_flag { PARAM_RELOADABLE = 1, PARAM_SECRET = 2, PARAM_REQUIRED = 4 };

struct params {
#define PARAM_STR(name, def, flags, help)                 const char *name;
#define PARAM_INT(name, def, min, max, unit, flags, help) int64_t name;
#define PARAM_BOOL(name, def, flags, help)                bool name;
#include "common/params.def"
#undef PARAM_STR
#undef PARAM_INT
#undef PARAM_BOOL
};

/* Defaults, then the file, then "name=value" overrides. On error a sentence (file, line, name, what is allowed). */
enum rc params_load(struct params *p, const char *file_or_null, char *const *overrides, size_t n_overrides,
                    char *ret_why, size_t why_size) MUST_CHECK;
/* Reads again what params_load read and takes over what is reloadable; all or nothing. On error as params_load, p as
 * before. On RC_OK ret_why is "", or names the parameters whose change needs a restart. Not from two threads at once.
 */
enum rc params_reload(struct params *p, const char *file_or_null, char *const *overrides, size_t n_overrides,
                      char *ret_why, size_t why_size) MUST_CHECK;
void params_print_help(FILE *f);                    /* all names with defaults, limits, units */
void params_print(FILE *f, const struct params *p); /* current values, secrets masked */
void params_print_markdown(FILE *f);

#endif
