/* SPDX-License-Identifier: Apache-2.0 */
/* zap.h - who may connect: the ZAP handler (ZeroMQ RFC 27) on a thread of its own, over an
 * immutable roster snapshot. CURVE only; a key is let in if an active, valid card has it, and its
 * messages then carry the member's name as User-Id.
 * Threads: start, set_roster, take_refusals and stop from one thread; the handler is another. */
#ifndef TCN_ZAP_H
#define TCN_ZAP_H

#include "libtocsin/ports.h"
#include "libtocsin/roster.h"

enum {
    TCN_ZAP_REQUEST_FRAMES = 7, /* version, request, domain, address, identity, mechanism, key */
    TCN_ZAP_ACCEPTED = 200,
    TCN_ZAP_REFUSED = 400,
    TCN_ZAP_FAILED = 500
};

/* What is answered to one request, and why. */
typedef struct {
    int status;                          /* TCN_ZAP_ACCEPTED, _REFUSED or _FAILED */
    const char *why;                     /* static; what the status text says */
    tcn_bytes request;                   /* the request's id to echo; views the frames */
    char member[TCN_MAX_NAME_CHARS + 1]; /* when accepted, else empty */
} tcn_zap_verdict;

/* Judges one request of count frames: exact counts and sizes, protocol 1.0, our domain, CURVE, and
 * a key of 32 bytes that the roster lets in at that time. Reads nothing else. */
void tcn_zap_judge(const tcn_bytes *frames, size_t count, const tcn_roster *roster, tcn_wall now,
                   tcn_zap_verdict *ret_verdict);

typedef struct tcn_zap tcn_zap;

/* Binds TCN_ZAP_ENDPOINT in context and starts the thread; when it returns, requests are answered.
 * Takes its own reference of roster. clock->wall is called from the thread and must outlive it. */
TCN_CHECKED tcn_err tcn_zap_start(void *context, tcn_roster *roster, const tcn_clock *clock,
                                  tcn_zap **ret_zap, tcn_fault *fault);
/* From the next request on. */
void tcn_zap_set_roster(tcn_zap *zap, tcn_roster *roster);
/* Readable once the thread has ended for whatever reason: without it nobody gets in. */
int tcn_zap_fd(const tcn_zap *zap);

/* What was refused since the last call, for the log. */
typedef struct {
    uint64_t count, total;
    char address[64]; /* of the last one, as libzmq says it, neutralised */
    const char *why;  /* static */
    bool has_key;     /* a CURVE key of the right size was shown */
    tcn_box_public key;
} tcn_zap_refusals;

void tcn_zap_take_refusals(tcn_zap *zap, tcn_zap_refusals *ret_refusals);

/* Ends the thread and waits for it; NULL is fine. */
void tcn_zap_stop(tcn_zap **zap);

#endif
