/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - a message from the administrator for whoever is signed in: on every terminal of utmp, and as a desktop
 * notification in every graphical session that has a message bus. Blocks; for a short-lived privileged process. */
#ifndef SEKISHO_AGENT_MESSAGE_H
#define SEKISHO_AGENT_MESSAGE_H

#include "common/slice.h"

/* root: prefix of /run/utmp, /dev and /run/user. Returns on how many terminals and desktops it was shown. */
int message_show(const char *root, const char *notify_send, struct slice title, struct slice text);

/* Without control characters but newlines, which become CR LF: nothing may steer a terminal. For tests too. */
struct strbuf;
void message_clean(struct strbuf *out, struct slice text, const char *newline);

#endif
