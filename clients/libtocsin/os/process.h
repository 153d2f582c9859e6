/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what a daemon does for itself before it holds keys or makes threads. */
#ifndef TCN_OS_PROCESS_H
#define TCN_OS_PROCESS_H

#include "libtocsin/err.h"

/* Not dumpable (no other process of our user reads our memory, ptrace(2)), no core file, umask 077,
 * SIGPIPE ignored, and as many descriptors as are allowed. Sanitizer builds stay dumpable: the leak
 * checker needs it. TCN_IO: the system refused; fault says what. */
TCN_CHECKED tcn_err tcn_process_harden(tcn_fault *fault);

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and those made later, and gives a descriptor
 * that is readable when one came. Programs that are executed inherit the blocking: undo it there
 * with tcn_process_unblock. */
TCN_CHECKED tcn_err tcn_process_signals(int *ret_fd, tcn_fault *fault);
/* The next signal that came, or 0. Never waits. */
int tcn_process_take_signal(int fd);
/* In a child, before it executes another program: no signal blocked, SIGPIPE as it was. */
void tcn_process_unblock(void);

#endif
