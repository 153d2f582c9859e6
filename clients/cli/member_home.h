/* SPDX-License-Identifier: Apache-2.0 */
/* member_home.h - makes the homes of members whose keys the authority generates, and of brokers. */
#ifndef TCN_CLI_MEMBER_HOME_H
#define TCN_CLI_MEMBER_HOME_H

#include "program_home.h"

/* New keys of this name in a new directory (0700) with authority.pub beside them. Nothing may be at
 * path: TCN_CONFLICT. The caller wipes ret_keys. */
TCN_CHECKED tcn_err tcn_member_home_make(const char *path, const char *name,
                                         const tcn_sign_public *authority,
                                         tcn_member_keys *ret_keys, tcn_fault *fault);
/* bundle, card and agent.conf: the home is complete. */
TCN_CHECKED tcn_err tcn_member_home_complete(const char *path, tcn_bytes bundle, tcn_bytes card,
                                             tcn_fault *fault);
/* agent.conf with everything explained, if there is none. */
TCN_CHECKED tcn_err tcn_agent_conf_write(const char *path, tcn_fault *fault);
/* broker.conf: listen is "host" as in "host:port". */
TCN_CHECKED tcn_err tcn_broker_conf_write(const char *path, const char *listen, unsigned base_port,
                                          tcn_fault *fault);
/* Removes what the functions above have made in path, and path if it is empty then. */
void tcn_member_home_remove(const char *path);

#endif
