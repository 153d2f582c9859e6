/* SPDX-License-Identifier: Apache-2.0 */
/* types.h - what publishers and nodes share: errors, ids, the numbers of the protocol, an alert.
 * Text is UTF-8 with NUL; times are Unix milliseconds, UTC, 0 meaning none; sizes are bytes. What
 * comes from the network is as the sender wrote it: pass it through tocsin_text_line before it
 * meets a terminal. Structs that the library hands out may grow at their end. */
#ifndef TOCSIN_TYPES_H
#define TOCSIN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Results of every function that can fail: TOCSIN_OK, or why not. The numbers are those of the
 * protocol's ERROR and ANSWER (docs/protocol.md §5) and are never reused. */
enum {
    TOCSIN_OK = 0,
    TOCSIN_E_MALFORMED = 1,
    TOCSIN_E_TOO_LARGE = 2,
    TOCSIN_E_NOT_FOUND = 3, /* or not yours to see */
    TOCSIN_E_DENIED = 4,
    TOCSIN_E_BAD_SIGNATURE = 5,
    TOCSIN_E_UNKNOWN_KEY = 6, /* as a result of connecting: the broker does not accept our key */
    TOCSIN_E_EXPIRED = 7,
    TOCSIN_E_TOO_EARLY = 8,
    TOCSIN_E_CONFLICT = 9,
    TOCSIN_E_STALE = 10,
    TOCSIN_E_WRONG_PROGRAM = 11,
    TOCSIN_E_WRONG_TYPE = 12,
    TOCSIN_E_WRONG_ROLE = 13,
    TOCSIN_E_TOPIC_DENIED = 14,
    TOCSIN_E_TLP_DENIED = 15,
    TOCSIN_E_REVOKED = 16,
    TOCSIN_E_HASH_MISMATCH = 17,
    TOCSIN_E_FULL = 18,
    TOCSIN_E_BUSY = 19,
    TOCSIN_E_IO = 20,
    TOCSIN_E_NO_MEMORY = 21,
    TOCSIN_E_TIMEOUT = 22,
    TOCSIN_E_UNREACHABLE = 23,
    TOCSIN_E_INVALID = 24,
    TOCSIN_E_PERMISSIONS = 25,
    TOCSIN_E_IN_USE = 26,
    TOCSIN_E_NOT_DELIVERABLE = 27,
    TOCSIN_E_VERSION = 28,
    TOCSIN_E_CANNOT_YET = 29,
    TOCSIN_E_VOIDED = 30,
    TOCSIN_E_NOBODY = 31
};

/* How far an operation came before it failed. */
enum {
    TOCSIN_STAGE_LOCAL = 0,     /* on this machine: arguments, home, keys, our own card */
    TOCSIN_STAGE_RESOLVE = 1,   /* the broker's name has no address */
    TOCSIN_STAGE_CONNECT = 2,   /* nobody listens there, or no packet comes back */
    TOCSIN_STAGE_HANDSHAKE = 3, /* CURVE: it refuses our key, or is not the broker of the bundle */
    TOCSIN_STAGE_WELCOME = 4,   /* connected, but no session was opened */
    TOCSIN_STAGE_ANSWER = 5     /* in a session: refused, or no answer in time */
};

/* Why a function failed, for programs and for people. Functions take a pointer to one, or NULL,
 * and fill it when they do not return TOCSIN_OK. */
typedef struct tocsin_error {
    int32_t code;   /* what the function returned */
    int32_t stage;  /* TOCSIN_STAGE_... */
    int32_t sent;   /* 1: the broker may have got the request although we do not know its answer */
    char word[28];  /* "topic-denied": one lower-case word for logs and JSON */
    char text[512]; /* one line: cause and remedy, safe to print */
} tocsin_error;

/* The word and the sentence of a code; static. */
TOCSIN_API const char *tocsin_error_word(int32_t code);
TOCSIN_API const char *tocsin_error_text(int32_t code);

/* Names an alert. */
typedef struct tocsin_id {
    uint8_t bytes[16];
} tocsin_id;

#define TOCSIN_ID_TEXT_SIZE 37
/* Lower-case hex in UUID grouping, with NUL. */
TOCSIN_API void tocsin_id_text(const tocsin_id *id, char ret_text[TOCSIN_ID_TEXT_SIZE]);
/* The same back, in either case. TOCSIN_E_MALFORMED. */
TOCSIN_API int32_t tocsin_id_parse(const char *text, tocsin_id *ret_id);

/* Writes text for a terminal: control characters, escapes and bidirectional overrides become
 * U+FFFD, line breaks one space; cut at a character to fit size (at least 4). Returns the length
 * without NUL. */
TOCSIN_API size_t tocsin_text_line(const char *text, char *ret_text, size_t size);

/* Numbers as on the wire (docs/protocol.md §2). */
enum { TOCSIN_LANE_BULK = 0, TOCSIN_LANE_EMERGENCY = 1 };
enum {
    TOCSIN_URGENCY_UNKNOWN = 0,
    TOCSIN_URGENCY_IMMEDIATE = 1,
    TOCSIN_URGENCY_EXPECTED = 2,
    TOCSIN_URGENCY_FUTURE = 3,
    TOCSIN_URGENCY_PAST = 4
};
enum {
    TOCSIN_TLP_CLEAR = 0,
    TOCSIN_TLP_GREEN = 1,
    TOCSIN_TLP_AMBER = 2,
    TOCSIN_TLP_AMBER_STRICT = 3,
    TOCSIN_TLP_RED = 4
};
enum { TOCSIN_STATUS_ACTUAL = 0, TOCSIN_STATUS_EXERCISE = 1, TOCSIN_STATUS_TEST = 2 };
enum { TOCSIN_KIND_ALERT = 0, TOCSIN_KIND_UPDATE = 1, TOCSIN_KIND_CANCEL = 2 };
enum { TOCSIN_REASON_RETRACT = 0, TOCSIN_REASON_ALL_CLEAR = 1 };
enum { TOCSIN_ENCODING_IDENTITY = 0, TOCSIN_ENCODING_ZSTD = 1 };
/* A node's answers. */
enum {
    TOCSIN_ANSWER_SEEN = 0,
    TOCSIN_ANSWER_ACTING = 1,
    TOCSIN_ANSWER_DONE = 2,
    TOCSIN_ANSWER_NOT_APPLICABLE = 3,
    TOCSIN_ANSWER_DECLINED = 4,
    TOCSIN_ANSWER_HELP = 5
};
/* Roles, as bits of a member's card. */
enum {
    TOCSIN_ROLE_PUBLISHER = 1,
    TOCSIN_ROLE_APPROVER = 2,
    TOCSIN_ROLE_NODE = 4,
    TOCSIN_ROLE_OPERATOR = 8,
    TOCSIN_ROLE_BROKER = 16
};
/* What to know about an alert that verified, as bits. */
enum {
    TOCSIN_MARK_STALE_TRUST = 1,           /* our trust bundle has expired, within its grace */
    TOCSIN_MARK_CLOCK_SUSPECT = 2,         /* our clock is more than a day from the broker's */
    TOCSIN_MARK_BODY_TO_COME = 4,          /* the body is external */
    TOCSIN_MARK_PUBLISHER_COMPROMISED = 8, /* signed by a key now known as compromised */
    TOCSIN_MARK_EXPIRED = 16,              /* by our clock */
    TOCSIN_MARK_ALL_CLEAR = 32,
    TOCSIN_MARK_TOO_EARLY = 64 /* created in our clock's future */
};

typedef struct tocsin_text {
    const char *lang; /* BCP 47, "en", "pt-BR" */
    const char *title;
    const char *summary; /* "" for none */
} tocsin_text;

typedef struct tocsin_signer {
    const char *member; /* "" if its key is not in our bundle */
    uint32_t role;      /* one TOCSIN_ROLE_... */
} tocsin_signer;

/* An alert whose signatures were verified against the home's trust. Made by the library; all it
 * points to lives as long as itself. */
typedef struct tocsin_alert {
    tocsin_id id;
    uint8_t payload_hash[32]; /* SHA-256 of the signed payload: the alert's identity */
    const char *handle, *publisher, *topic;
    uint32_t lane, urgency, tlp, status, kind;
    uint32_t reason; /* of a cancel: TOCSIN_REASON_... */
    int64_t created, not_before, expires, ack_by;
    const char *ask;         /* requested action; "" for none */
    const char *reason_text; /* of a cancel; "" for none */
    const tocsin_text *texts;
    const tocsin_id *references;
    const char *const *communities;
    const tocsin_signer *signers;
    uint32_t text_count, reference_count, community_count, signer_count;
    uint32_t audience_count;              /* named recipients; who they are only they know */
    uint32_t approvals, approvals_needed; /* distinct approvers that signed, and how many must */
    uint32_t marks;                       /* TOCSIN_MARK_... */
    const char *content_type;             /* of the decoded body */
    uint32_t encoding;                    /* TOCSIN_ENCODING_... */
    uint32_t external;                    /* 1: the body travels apart; body is NULL */
    uint64_t decoded_size, encoded_size;  /* of the body */
    const uint8_t *body;                  /* inline: encoded_size encoded bytes */
    uint8_t body_hash[32];                /* SHA-256 of the encoded body */
    const uint8_t *envelope;              /* the alert as it was signed and sent */
    uint64_t envelope_size;
} tocsin_alert;

/* The body as its author wrote it: checks hash and size of encoded (for an inline body pass the
 * alert's body and encoded_size), decodes it, and gives decoded_size bytes for tocsin_free.
 * TOCSIN_E_HASH_MISMATCH, TOCSIN_E_MALFORMED, TOCSIN_E_TOO_LARGE, TOCSIN_E_NO_MEMORY. */
TOCSIN_API int32_t tocsin_body_decode(const tocsin_alert *alert, const void *encoded,
                                      uint64_t encoded_size, uint8_t **ret_bytes,
                                      tocsin_error *error);

/* Frees memory that the library handed out for it; NULL is fine. */
TOCSIN_API void tocsin_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
