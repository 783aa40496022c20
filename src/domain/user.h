/* SPDX-License-Identifier: Apache-2.0 */
/* user.h - what names and addresses of people may look like. Pure. */
#ifndef SEKISHO_DOMAIN_USER_H
#define SEKISHO_DOMAIN_USER_H

#include "common/slice.h"

/* A sign-in name: "tenant/name" must stay unambiguous, and names show in logs. */
bool user_name_fits(struct slice s);
#define USER_NAME_FORM "letters, digits and . _ @ + - only"
/* Something@domain without blanks; whether it exists is another matter. Empty is none. */
bool user_email_fits(struct slice s);
#define USER_EMAIL_FORM "name@example.com"

#endif
