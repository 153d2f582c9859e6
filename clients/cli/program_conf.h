/* SPDX-License-Identifier: Apache-2.0 */
/* program_conf.h - program.conf: the program's name, its policy and where its brokers are reached.
 * People edit it; what it says goes into the bundle at the next signing. */
#ifndef TCN_CLI_PROGRAM_CONF_H
#define TCN_CLI_PROGRAM_CONF_H

#include "libtocsin/bundle.h"

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_policy policy;
    unsigned brokers; /* names and endpoints; server keys come from the brokers' cards */
    tcn_broker_entry broker[TCN_MAX_BROKERS];
} tcn_program_conf;

/* TCN_NOT_FOUND, TCN_PERMISSIONS, TCN_INVALID with file, line and what would be right. */
TCN_CHECKED tcn_err tcn_program_conf_read(const char *path, tcn_program_conf *ret_conf,
                                          tcn_fault *fault);
/* The file of a new program, every setting explained: this name, one broker, and the presets, which
 * are those of tcn_policy_default. TCN_CONFLICT if it exists. */
TCN_CHECKED tcn_err tcn_program_conf_write(const char *path, const tcn_program_conf *conf,
                                           tcn_fault *fault);

#endif
