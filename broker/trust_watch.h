/* SPDX-License-Identifier: Apache-2.0 */
/* trust_watch.h - a broker home's trust file, watched and verified on a thread of its own: a roster
 * of many members takes seconds, in which the loop must not stop. A file that does not verify or
 * is not newer is refused, and the trust held stays in force.
 * Threads: open, take, look and close from the loop; the watch is another. */
#ifndef TCN_TRUST_WATCH_H
#define TCN_TRUST_WATCH_H

#include "libtocsin/home.h"

typedef struct tcn_trust_watch tcn_trust_watch;

/* home must outlive it. version: what is held already. */
TCN_CHECKED tcn_err tcn_trust_watch_open(const tcn_broker_home *home, uint64_t version,
                                         tcn_trust_watch **ret_watch, tcn_fault *fault);
void tcn_trust_watch_close(tcn_trust_watch **watch); /* waits for a file being verified */

/* Readable while there is something to take. */
int tcn_trust_watch_fd(const tcn_trust_watch *watch);
/* TCN_OK: a newer roster, now the caller's. TCN_NOT_FOUND: nothing new. Else a file was refused,
 * fault says why. */
TCN_CHECKED tcn_err tcn_trust_watch_take(tcn_trust_watch *watch, tcn_roster **ret_roster,
                                         tcn_fault *fault);
/* A trust file that an operator sent: verified and, if it is newer, written to the home, as if it
 * had been put there. One at a time; file is copied. TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_trust_watch_import(tcn_trust_watch *watch, tcn_bytes file);
/* How that went, once; false: it is still under way, or nothing was. After TCN_OK the roster is
 * there to be taken. Makes the descriptor readable. */
bool tcn_trust_watch_take_import(tcn_trust_watch *watch, tcn_fault *ret_fault);
/* Looks at the file even if nothing was seen to change (SIGHUP). */
void tcn_trust_watch_look(tcn_trust_watch *watch);

#endif
