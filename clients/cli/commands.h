/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the table of commands, in the order of help: X(NAME) is tcn_command_NAME. */
#ifndef TCN_CLI_COMMANDS_H
#define TCN_CLI_COMMANDS_H

#include "command.h"

#define TCN_COMMAND_TABLE(X)                                                                       \
    X(init)                                                                                        \
    X(member_add)                                                                                  \
    X(member_set)                                                                                  \
    X(member_revoke)                                                                               \
    X(member_list)                                                                                 \
    X(member_show)                                                                                 \
    X(roster_show)                                                                                 \
    X(roster_sign)                                                                                 \
    X(roster_export)                                                                               \
    X(keygen)                                                                                      \
    X(join)                                                                                        \
    X(inbox)                                                                                       \
    X(show)                                                                                        \
    X(ack)                                                                                         \
    X(roster_import)                                                                               \
    X(publish)                                                                                     \
    X(pending)                                                                                     \
    X(approve)                                                                                     \
    X(retract)                                                                                     \
    X(all_clear)                                                                                   \
    X(alerts)                                                                                      \
    X(board)                                                                                       \
    X(explain)                                                                                     \
    X(metrics)                                                                                     \
    X(status)                                                                                      \
    X(verify)                                                                                      \
    X(completion)                                                                                  \
    X(help)                                                                                        \
    X(version)

#define X(name) extern const tcn_command tcn_command_##name;
TCN_COMMAND_TABLE(X)
#undef X

#endif
