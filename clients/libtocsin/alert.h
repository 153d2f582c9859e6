/* SPDX-License-Identifier: Apache-2.0 */
/* alert.h - an alert's signed payload [metadata, body]: read, checked for sense, written.
 * Layout: docs/protocol.md §2. Knows nothing of who may sign what: that is trust.h. */
#ifndef TCN_ALERT_H
#define TCN_ALERT_H

#include "cbor.h"
#include "limits.h"
#include "tlp.h"
#include "when.h"

typedef enum { TCN_LANE_BULK = 0, TCN_LANE_EMERGENCY = 1 } tcn_lane;
#define TCN_LANES 2

typedef enum {
    TCN_URGENCY_UNKNOWN = 0,
    TCN_URGENCY_IMMEDIATE = 1,
    TCN_URGENCY_EXPECTED = 2,
    TCN_URGENCY_FUTURE = 3,
    TCN_URGENCY_PAST = 4
} tcn_urgency;

typedef enum { TCN_STATUS_ACTUAL = 0, TCN_STATUS_EXERCISE = 1, TCN_STATUS_TEST = 2 } tcn_status;
typedef enum { TCN_KIND_ALERT = 0, TCN_KIND_UPDATE = 1, TCN_KIND_CANCEL = 2 } tcn_kind;
typedef enum { TCN_REASON_RETRACT = 0, TCN_REASON_ALL_CLEAR = 1 } tcn_reason;
typedef enum { TCN_ENCODING_IDENTITY = 0, TCN_ENCODING_ZSTD = 1 } tcn_encoding;

const char *tcn_lane_text(tcn_lane lane);          /* "bulk", "emergency" */
const char *tcn_urgency_text(tcn_urgency urgency); /* "immediate" … */
const char *tcn_status_text(tcn_status status);    /* "actual" … */
const char *tcn_kind_text(tcn_kind kind);          /* "alert" … */
TCN_CHECKED tcn_err tcn_urgency_parse(const char *text, tcn_urgency *ret_urgency);
TCN_CHECKED tcn_err tcn_status_parse(const char *text, tcn_status *ret_status);

typedef struct {
    tcn_bytes lang, title, summary;
} tcn_alert_text;

/* All views point into the bytes that were decoded, or into what the author supplied. */
typedef struct {
    tcn_id id;
    tcn_bytes handle;
    tcn_id program;
    tcn_bytes publisher, topic;
    tcn_lane lane;
    tcn_urgency urgency;
    tcn_tlp tlp;
    tcn_status status;
    tcn_kind kind;
    unsigned references;
    tcn_id reference[TCN_MAX_REFERENCES];
    tcn_reason reason; /* cancel only */
    unsigned texts;
    tcn_alert_text text[TCN_MAX_LANGUAGES];
    tcn_bytes ask; /* empty: none */
    tcn_wall created;
    tcn_wall not_before; /* unix_ms 0: none */
    tcn_wall expires;
    tcn_wall ack_by; /* unix_ms 0: none */
    unsigned communities;
    tcn_bytes community[TCN_MAX_COMMUNITIES]; /* ascending */
    unsigned audiences;
    tcn_bytes audience; /* audiences × 17 bytes: bstr heads and marks, ascending */
    tcn_bytes content_type;
    tcn_encoding encoding;
    uint64_t decoded_size;
    tcn_bytes reason_text; /* cancel; empty: none */
} tcn_alert_meta;

typedef struct {
    tcn_alert_meta meta;
    tcn_bytes meta_bytes; /* the metadata as encoded */
    bool external;        /* the body is not in the payload */
    tcn_bytes body;       /* inline: the encoded body */
    tcn_hash body_hash;   /* external: of the encoded body */
    uint64_t body_size;   /* encoded size, both cases */
} tcn_alert;

/* Decodes and checks everything that can be decided from the payload alone (ranges, orders,
 * names, topic, created < expires, references and reason by kind, red needs an audience,
 * emergencies inline, ratio). The alert's views point into payload. fault names the field. */
TCN_CHECKED tcn_err tcn_alert_decode(tcn_bytes payload, tcn_alert *ret_alert, tcn_fault *fault);
/* Metadata alone, with the same checks (queries carry it). */
TCN_CHECKED tcn_err tcn_alert_meta_decode(tcn_bytes meta_bytes, tcn_alert_meta *ret_meta,
                                          tcn_fault *fault);

/* Writes the payload into memory of the caller (ENVELOPE_BYTES suffices) and checks it by
 * decoding: what is written always decodes. For an external body set external, hash and size. */
TCN_CHECKED tcn_err tcn_alert_encode(const tcn_alert *alert, uint8_t *ret_payload, size_t cap,
                                     size_t *ret_len, tcn_fault *fault);

/* Sorts the marks and writes them as audience wants them: ret_bytes holds 17 × count. */
void tcn_audience_encode(tcn_id *marks, unsigned count, uint8_t *ret_bytes);
bool tcn_alert_has_audience_mark(const tcn_alert_meta *meta, const tcn_id *mark);
bool tcn_alert_has_community(const tcn_alert_meta *meta, tcn_bytes community);

/* Title in lang if there is one, else the first. */
tcn_bytes tcn_alert_title(const tcn_alert_meta *meta, const char *lang);

/* A new UUIDv7 (RFC 9562 §5.7) from a time and 10 random bytes. */
tcn_id tcn_alert_id_make(tcn_wall at, const uint8_t random[static 10]);

/* Encoded body for publishing: zstd if that saves at least an eighth, else as it is. *ret_bytes is
 * malloc'd. level 3..19. TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_body_encode(tcn_bytes decoded, int level, tcn_encoding *ret_encoding,
                                    uint8_t **ret_bytes, size_t *ret_len);
/* Decodes to exactly decoded_size bytes, malloc'd (non-NULL also for 0). Refuses before allocating
 * what the limits refuse: TCN_TOO_LARGE (ratio, max_bytes, window), TCN_MALFORMED (another size,
 * several frames, trailing bytes). */
TCN_CHECKED tcn_err tcn_body_decode(tcn_bytes encoded, tcn_encoding encoding, uint64_t decoded_size,
                                    uint64_t max_bytes, uint8_t **ret_bytes);

#endif
