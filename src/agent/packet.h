/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h - the messages between the agent's own processes: one verb and a few bounded fields per packet of a
 * SOCK_SEQPACKET socket pair, with file descriptors where a verb says so. Reading never trusts the sender: a short or
 * long field marks the packet bad, and everything read from a bad packet is zero. No allocation. Not thread-safe per
 * packet; sending one packet is one system call, so threads may share a socket. */
#ifndef SEKISHO_AGENT_PACKET_H
#define SEKISHO_AGENT_PACKET_H

#include "common/id.h"
#include "common/rc.h"

#define PACKET_SIZE 65536 /* bytes; the greatest event body is 32 KiB */
#define PACKET_FDS  68    /* two of a manifest and 64 of its files, and some air */

enum verb {
    /* network process -> privileged process */
    VERB_SCAN = 1,      /* execution, clean, count, targets */
    VERB_CANCEL,        /* execution */
    VERB_ISOLATE,       /* execution, count, (address, port, name) */
    VERB_END_ISOLATION, /* execution */
    VERB_MESSAGE,       /* execution, title, text */
    VERB_MODULES,       /* execution, key; fds: manifest, signature, files in the manifest's order */
    VERB_VERDICT_EVENT, /* event id, 1 = its record is on the disk */
    /* privileged process -> network process */
    VERB_EVENT,    /* event id, kind, time, urgent, body */
    VERB_PROGRESS, /* execution, state, progress, scanned, total, found, code, count, args */
    VERB_STATUS,   /* a struct status */
    /* guard and judge */
    VERB_ALIVE,    /* guard -> privileged process: I answer */
    VERB_JUDGE,    /* guard -> judge: number, held, pid, uid, time, program; fd */
    VERB_ANSWER,   /* judge -> guard: number, verdict, signature set */
    VERB_ENGINE,   /* judge -> guard: pid of the engine, signature set, whether accesses may be held */
    VERB_GUARD,    /* guard -> privileged process: mode, watched folders */
    VERB_RELOADED, /* privileged process -> judge: other signatures are live */
};

struct packet {
    size_t n;  /* bytes used */
    size_t at; /* next byte to read */
    bool bad;
    int fds[PACKET_FDS]; /* received: owned by the receiver; packet_close_fds closes what was not taken */
    size_t n_fds;
    uint8_t b[PACKET_SIZE];
};

void packet_start(struct packet *p, enum verb verb);
void packet_put_u8(struct packet *p, uint8_t v);
void packet_put_i64(struct packet *p, int64_t v);
void packet_put_uuid(struct packet *p, struct uuid u);
void packet_put_str(struct packet *p, struct slice s); /* too long for the packet: bad, packet_send refuses it */
void packet_put_cstr(struct packet *p, const char *s);

enum verb packet_verb(struct packet *p); /* first call after receiving; 0 when empty */
uint8_t packet_u8(struct packet *p);
int64_t packet_i64(struct packet *p);
struct uuid packet_uuid(struct packet *p);
struct slice packet_str(struct packet *p);                  /* points into the packet */
void packet_cstr(struct packet *p, char *out, size_t size); /* cut to size, NUL-ended, inner NULs end it */
bool packet_done(const struct packet *p);                   /* all read, none bad */
int packet_take_fd(struct packet *p, size_t i);             /* -1 when absent */

/* RC_UNAVAILABLE: the peer is gone. RC_OVER_QUOTA: a non-blocking socket is full. RC_INVALID: the packet is bad. */
enum rc packet_send(int sock, const struct packet *p) MUST_CHECK;
enum rc packet_send_fds(int sock, const struct packet *p, const int *fds, size_t n_fds) MUST_CHECK;
/* RC_NOT_FOUND: nothing waits (non-blocking). RC_UNAVAILABLE: the peer is gone. Received descriptors are close-on-exec.
 */
enum rc packet_receive(int sock, struct packet *p, bool wait) MUST_CHECK;
void packet_close_fds(struct packet *p);

#endif
