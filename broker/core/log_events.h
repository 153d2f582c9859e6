/* SPDX-License-Identifier: Apache-2.0 */
/* log_events.h - every line that the broker logs, core and shell: one table (log_event.h). */
#ifndef TCN_BROKER_LOG_EVENTS_H
#define TCN_BROKER_LOG_EVENTS_H

#include "libtocsin/log_event.h"

/* Warnings that `tocsin status` keeps, too. X(NAME, LEVEL, word, meaning, what to do) */
#define TCN_ALARM_TABLE(X)                                                                         \
    X(CLONE_SUSPECTED, WARNING, "clone-suspected",                                                 \
      "two installations take turns with one member's key",                                        \
      "ask the member; if it cannot explain, revoke and add anew")                                 \
    X(RESTORED_FROM_BACKUP, WARNING, "restored-from-backup",                                       \
      "a node has a cursor that this store never wrote: it starts anew, and all do once more "     \
      "than an eighth of the nodes (at least two) say so",                                         \
      "expected once after a restore; if there was none: is the store the right one?")             \
    X(TRUST_BEHIND, WARNING, "trust-behind", "a member holds newer trust than the broker",         \
      "import the newer roster; once more than an eighth of the nodes (at least two) say so, "     \
      "the broker serves nothing until then")                                                      \
    X(TRUST_NOT_ADOPTED, WARNING, "trust-not-adopted",                                             \
      "a newer roster is verified, but there was no memory for it",                                \
      "restart the broker; the old trust stays in force until then")                               \
    X(TRUST_NOT_STORED, WARNING, "trust-not-stored",                                               \
      "a newer roster is in force, but could not be written to the store", "free disk")            \
    X(REJECTED, WARNING, "rejected", "a node refuses an alert: it does not verify there",          \
      "compare the node's trust version and clock (tocsin metrics); else somebody forges")         \
    X(RECORD_DAMAGED, WARNING, "record-damaged", "a record does not have its checksum",            \
      "the disk or memory is failing: replace it, restore from a backup")                          \
    X(BODY_UNREADABLE, WARNING, "body-unreadable", "a body file cannot be read",                   \
      "the disk is failing: replace it, restore from a backup")

#define TCN_EVENT_TABLE(X)                                                                         \
    X(BALLAST_RELEASED, ERROR, "ballast-released",                                                 \
      "the disk is full: the ballast was given up, so that emergencies still have room",           \
      "free some disk")                                                                            \
    X(CONFIG_REFUSED, ERROR, "config-refused", "SIGHUP: broker.conf has an error",                 \
      "mend the line that is named; the settings stay as they are")                                \
    X(FRAME_UNMADE, ERROR, "frame-unmade", "a frame could not be encoded, and was not sent",       \
      "report it: a limit is wrong")                                                               \
    X(TRUST_REFUSED, ERROR, "trust-refused", "the trust file does not verify, or is older",        \
      "sign the program anew and bring the file again; the old trust stays in force")              \
    X(ACK_REFUSED, WARNING, "ack-refused", "an acknowledgment does not verify, or fits no alert",  \
      "compare the node's trust version and clock")                                                \
    X(ANONYMOUS_MESSAGE, WARNING, "anonymous-message",                                             \
      "a connection whose messages carry no member was cut", "report it: authentication failed")   \
    X(CHOSEN_ROUTING_ID, WARNING, "chosen-routing-id",                                             \
      "a connection that chose its own routing id was cut", "that member's software is not ours")  \
    X(CONNECTION_REFUSED, WARNING, "connection-refused",                                           \
      "nobody with a valid card has the key that was shown",                                       \
      "if it is a member: is its card expired, is the newest roster here?")                        \
    X(INPUT_FAILED, WARNING, "input-failed", "an input could not be stored, and was refused",      \
      "free disk, or raise store-size")                                                            \
    X(LOG_LIMITED, WARNING, "log-limited", "lines of one event came too often, and were left out", \
      "")                                                                                          \
    X(MALFORMED, WARNING, "malformed", "a member sent a frame that is none, and was cut",          \
      "that member's software is not ours, or broken")                                             \
    X(MALFORMED_MESSAGE, WARNING, "malformed-message",                                             \
      "a message that is not one frame was dropped",                                               \
      "that member's software is not ours, or broken")                                             \
    X(MUTE_CONNECTION, WARNING, "mute-connection",                                                 \
      "a connection that said nothing since it was accepted was cut",                              \
      "if there are many: a firewall in front")                                                    \
    X(NO_BALLAST, WARNING, "no-ballast", "the disk has no room for the ballast", "free some disk") \
    X(NO_SESSION, WARNING, "no-session", "a connection that opened no session in time was cut",    \
      "if there are many: a member's software is broken")                                          \
    X(PEER_FULL, WARNING, "peer-full", "a peer that takes no more answers was cut",                \
      "it reads too slowly, or not at all")                                                        \
    X(RECEIPT_AHEAD, WARNING, "receipt-ahead", "a node receipts what it was not sent",             \
      "its software is not ours, or broken; nothing was noted")                                    \
    X(TRUST_OLD, WARNING, "trust-old", "a roster that is not newer was ignored", "")               \
    X(AUDIT, NOTICE, "audit",                                                                      \
      "kept in the store, too: approvals, lapsed and dropped alerts, ids used twice", "")          \
    X(CONFIG_READ, NOTICE, "config-read", "SIGHUP: log-level is in force",                         \
      "other settings need a restart")                                                             \
    X(REFUSED, NOTICE, "refused", "a request was refused; its sender was told why", "")            \
    X(TRUST, NOTICE, "trust", "a newer roster is in force", "")                                    \
    X(VOIDED, NOTICE, "voided", "an alert of a compromised author was voided", "")                 \
    X(SESSION_CLOSED, INFO, "session-closed", "the broker ended a session; the text says why", "")

typedef enum {
#define X(name, level, word, means, to_do) TCN_EVENT_##name,
    TCN_ALARM_TABLE(X) TCN_EVENT_TABLE(X)
#undef X
} tcn_event;

/* The row of an event; static. */
const tcn_log_event *tcn_event_of(tcn_event event);
/* The table, alarms first, for programs that print it; *ret_count rows, static. */
const tcn_log_event *tcn_events(size_t *ret_count);

#endif
