/* SPDX-License-Identifier: Apache-2.0 */
/* cast.h - a program with thousands of members, made and signed in one go: every secret follows
 * from one seed in DIR/seed, so that no key files are needed but the broker's own in DIR/broker.
 * Members: node-00000…, pub-000… (publishers that approve, too), ops (operator), broker. */
#ifndef BENCH_CAST_H
#define BENCH_CAST_H

#include "libtocsin/roster.h"

typedef struct {
    unsigned nodes, publishers, classes; /* nodes of class k receive "bench.>" and "class.k" */
    const char *settings;                /* more lines of broker.conf */
} bench_cast_options;

typedef struct {
    char dir[TCN_MAX_NAME_CHARS * 8];
    char home[TCN_MAX_NAME_CHARS * 8 + 16]; /* the broker's */
    uint8_t seed[32];
    tcn_id program;
    tcn_box_public broker_key;
    tcn_sign_secret *publisher; /* theirs, by index */
    unsigned publishers;
    tcn_roster *roster; /* verified as a broker would */
} bench_cast;

/* Makes dir, which must not exist; ends the process with what is wrong. */
void bench_cast_make(const char *dir, const bench_cast_options *options, bench_cast *ret_cast);
void bench_cast_fini(bench_cast *cast);
void bench_cast_node_name(unsigned index, char ret_name[static TCN_MAX_NAME_CHARS + 1]);
void bench_cast_publisher_name(unsigned index, char ret_name[static TCN_MAX_NAME_CHARS + 1]);
void bench_cast_secrets(const bench_cast *cast, const char *name, tcn_secrets *ret_secrets);

/* An alert's envelope, malloc'd; handle "B-NUMBER", a body of so many bytes that do not compress.
 * An emergency is actual and signed by two approvers: the author and the next publisher. */
typedef struct {
    unsigned publisher, number;
    tcn_lane lane;
    size_t body_bytes;
} bench_alert;

tcn_bytes bench_cast_alert(const bench_cast *cast, const bench_alert *alert);

#endif
