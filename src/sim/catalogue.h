/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue.h - what simulated devices are made of: systems, machines, software, people, and findings with names of our
 * own invention. Constant tables; any thread. */
#ifndef SEKISHO_SIM_CATALOGUE_H
#define SEKISHO_SIM_CATALOGUE_H

#include "wire/agent.gen.h"

enum package_style { STYLE_WINDOWS, STYLE_MACOS, STYLE_DEB, STYLE_RPM };

struct catalogue_system {
    const char *name, *version, *kernel, *architecture;
    enum wire_os_family family;
    enum package_style style;
    bool server;
    unsigned weight; /* of 100 */
};
extern const struct catalogue_system catalogue_systems[];
extern const size_t catalogue_n_systems;

struct catalogue_machine {
    const char *vendor, *model, *cpu, *disk;
    int cores;
    bool server, apple;
};
extern const struct catalogue_machine catalogue_machines[];
extern const size_t catalogue_n_machines;

/* Package i of a style: its name, vendor and base version. Names of one style differ. */
#define CATALOGUE_PACKAGES 480
struct catalogue_package {
    char name[96];
    char vendor[64];
    int major, minor, patch;
    int64_t size; /* bytes */
};
void catalogue_package(enum package_style style, unsigned i, struct catalogue_package *ret);

struct catalogue_person {
    const char *given, *family;       /* Latin letters */
    const char *given_ja, *family_ja; /* as written in Japanese */
};
extern const struct catalogue_person catalogue_people_en[], catalogue_people_ja[];
extern const size_t catalogue_n_people_en, catalogue_n_people_ja;

struct catalogue_department {
    const char *code, *ja;
};
extern const struct catalogue_department catalogue_departments[];
extern const size_t catalogue_n_departments;

struct catalogue_threat {
    const char *name;
    enum wire_detection_type type;
    enum wire_severity severity;
    const char *file_windows, *file_unix, *file_ja; /* without folder */
};
extern const struct catalogue_threat catalogue_threats[];
extern const size_t catalogue_n_threats;

#endif
