/* SPDX-License-Identifier: Apache-2.0 */
/* log_events.h - every line that the agent logs, core and shell: one table (log_event.h). */
#ifndef TCN_AGENT_LOG_EVENTS_H
#define TCN_AGENT_LOG_EVENTS_H

#include "libtocsin/log_event.h"

/* X(NAME, LEVEL, word, meaning, what to do) */
#define TCN_AGENT_EVENT_TABLE(X)                                                                   \
    X(ACK_REFUSED, ERROR, "ack-refused",                                                           \
      "the broker refused an acknowledgment of ours; it is not said again",                        \
      "compare trust version and clock with the broker's; acknowledge again")                      \
    X(BALLAST_RELEASED, ERROR, "ballast-released",                                                 \
      "the disk is full: the ballast was given up, so that emergencies still have room",           \
      "free some disk")                                                                            \
    X(CONFIG_REFUSED, ERROR, "config-refused", "SIGHUP: agent.conf has an error",                  \
      "mend the line that is named; the settings stay as they are")                                \
    X(FRAME_REFUSED, ERROR, "frame-refused", "a broker sent a frame that is none",                 \
      "tell its operator: the two speak different versions, or it is broken")                      \
    X(NOT_STORED, ERROR, "not-stored", "what came could not be stored; the broker sends it again", \
      "free disk, or raise store-size")                                                            \
    X(RECORD_DAMAGED, ERROR, "record-damaged", "a record does not have its checksum",              \
      "the disk or memory is failing: replace it")                                                 \
    X(WELCOME_REFUSED, ERROR, "welcome-refused",                                                   \
      "who answers is not the broker of the trust bundle, or speaks another version",              \
      "is a route in agent.conf wrong? does the broker's operator know of it?")                    \
    X(ALERT_REJECTED, WARNING, "alert-rejected",                                                   \
      "an alert verified false, was not stored, and the broker was told",                          \
      "tell the operator: a clock is wrong, or somebody forges")                                   \
    X(BODY_MISSING, WARNING, "body-missing", "a body could not be fetched; tried again later",     \
      "if it goes on: tell the operator")                                                          \
    X(BROKER_ERROR, WARNING, "broker-error", "the broker ended the session, and said why",         \
      "as the text says")                                                                          \
    X(CARD_REFUSED, WARNING, "card-refused", "a card that the broker sent does not verify",        \
      "tell the operator; the card held counts")                                                   \
    X(LOG_LIMITED, WARNING, "log-limited", "lines of one event came too often, and were left out", \
      "")                                                                                          \
    X(NO_BALLAST, WARNING, "no-ballast", "the disk has no room for the ballast", "free some disk") \
    X(PARK_FULL, WARNING, "park-full", "more alerts wait for newer trust than can be kept",        \
      "none is lost; tell the operator if the newer trust does not come")                          \
    X(TRUST_REFUSED, WARNING, "trust-refused", "a trust bundle that the broker sent was refused",  \
      "tell the operator; the bundle held counts")                                                 \
    X(CARD_ADOPTED, NOTICE, "card-adopted", "a newer card of ours is in use", "")                  \
    X(CONFIG_READ, NOTICE, "config-read", "SIGHUP: log-level is in force",                         \
      "other settings need a restart")                                                             \
    X(EMERGENCY_CACHED, NOTICE, "alert-cached", "an emergency verified, and is on disk", "")       \
    X(GENERATION, NOTICE, "generation",                                                            \
      "we may have more than before: what is in force comes again", "")                            \
    X(LINK_DOWN, NOTICE, "link-down", "a connection ended, or could not be made; tried again",     \
      "if it goes on: as the text says; tocsin-agent --check")                                     \
    X(LINK_UP, NOTICE, "link-up", "a broker serves us on this endpoint", "")                       \
    X(TRUST_ADOPTED, NOTICE, "trust-adopted", "a newer trust bundle is in use", "")                \
    X(ALERT_CACHED, INFO, "alert-cached", "an alert verified, and is on disk", "")                 \
    X(BODY_CACHED, INFO, "body-cached", "a body is whole, has its hash, and is on disk", "")

typedef enum {
#define X(name, level, word, means, to_do) TCN_AGENT_EVENT_##name,
    TCN_AGENT_EVENT_TABLE(X)
#undef X
} tcn_agent_event;

/* The row of an event; static. */
const tcn_log_event *tcn_agent_event_of(tcn_agent_event event);
/* The table, for programs that print it; *ret_count rows, static. */
const tcn_log_event *tcn_agent_events(size_t *ret_count);

#endif
