/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - publish, approve, cancel and ask, as a member whose home is at hand.
 * A home is the directory that `tocsin member add` made: keys, card and trust bundle.
 * Threads: a client belongs to one thread at a time; different clients are independent of each
 *          other. Functions that talk to the broker block, at most as long as the options say.
 * Network: one connection to each of the broker's two endpoints, made when first needed, again when
 *          lost. What is repeated then is idempotent at the broker.
 * Nodes:   receive with tocsin/node.h. */
#ifndef TOCSIN_CLIENT_H
#define TOCSIN_CLIENT_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_client tocsin_client;

typedef struct tocsin_client_options {
    uint32_t struct_size;        /* set by tocsin_client_options_init */
    uint32_t connect_timeout_ms; /* for each broker until it opens a session; default 10000 */
    uint32_t request_timeout_ms; /* without any progress; default 20000 */
    const char *home;            /* a member's home; NULL: $TOCSIN_HOME, else ~/.config/tocsin */
    const char *software;        /* "my-feed 1.2", shown to operators; NULL: "libtocsin VERSION" */
    const char *socks_proxy;     /* "host:port" of a SOCKS5 proxy that also resolves; NULL: none */
} tocsin_client_options;

TOCSIN_API void tocsin_client_options_init(tocsin_client_options *ret_options);

/* Reads the home; does not connect yet. Options are copied. TOCSIN_E_NOT_FOUND, _PERMISSIONS,
 * _BAD_SIGNATURE, _CONFLICT (card and keys do not belong together), _MALFORMED. */
TOCSIN_API int32_t tocsin_client_open(const tocsin_client_options *options,
                                      tocsin_client **ret_client, tocsin_error *error);
/* Closes and nulls; NULL is fine. */
TOCSIN_API void tocsin_client_close(tocsin_client **client);

/* Connects now rather than at first need, to the brokers of the bundle in their order until one
 * opens a session; adopts newer trust and card if it has them, and keeps them in the home. For
 * TOCSIN_LANE_EMERGENCY the emergency endpoint, else session, on which everything can be done.
 *   TOCSIN_E_UNREACHABLE   stage RESOLVE, CONNECT, or HANDSHAKE (not the broker of the bundle)
 *   TOCSIN_E_UNKNOWN_KEY   stage HANDSHAKE: the broker refuses our key
 *   TOCSIN_E_TIMEOUT       stage HANDSHAKE or WELCOME: something listens there and says nothing
 *   what its ERROR said    stage WELCOME, e.g. _STALE, _VERSION */
TOCSIN_API int32_t tocsin_client_connect(tocsin_client *client, uint32_t lane, tocsin_error *error);

/* Who we are and where; strings live until the client closes or connects again. */
typedef struct tocsin_client_info {
    const char *member, *program, *home;
    uint32_t roles;         /* TOCSIN_ROLE_... bits */
    uint32_t connected;     /* 1: a session is open */
    const char *broker;     /* "" before the first session */
    uint64_t trust_version; /* of the bundle held */
    int64_t trust_expires;  /* of the bundle held */
    int64_t card_expires;
    int64_t clock_offset_ms; /* ours minus the broker's, when the session was opened */
    const char *notice; /* something to tell a person, e.g. newer trust not saved; "" if none */
} tocsin_client_info;

/* ret_info_size: sizeof(tocsin_client_info); as much is written. */
TOCSIN_API void tocsin_client_get_info(const tocsin_client *client, tocsin_client_info *ret_info,
                                       size_t ret_info_size);

/* ---- publishing: draft, prepare, count, submit ---- */

typedef struct tocsin_draft {
    uint32_t struct_size; /* set by tocsin_draft_init */
    uint32_t kind;      /* TOCSIN_KIND_ALERT (default) or _UPDATE; cancels: tocsin_prepare_cancel */
    const char *topic;  /* mandatory */
    uint32_t tlp;       /* default TOCSIN_TLP_AMBER */
    uint32_t lane;      /* default TOCSIN_LANE_BULK */
    uint32_t urgency;   /* default TOCSIN_URGENCY_UNKNOWN */
    uint32_t status;    /* default TOCSIN_STATUS_ACTUAL */
    const char *handle; /* spoken on the phone, unique for this publisher; NULL: one is made */
    const tocsin_text *texts; /* at least one, mandatory; the first is the original */
    uint32_t text_count;
    uint32_t community_count;
    const char *const *communities; /* only to members of these */
    const char *const *to;          /* only to these nodes, by name; needs a session (directory) */
    uint32_t to_count;
    uint32_t reference_count;
    const tocsin_id *references; /* what an update supersedes */
    const char *ask;             /* requested action; NULL: none */
    int64_t not_before;          /* held until then; 0: none */
    int64_t expires;             /* 0: seven days from now */
    int64_t ack_by;              /* answers are wanted until then; 0: none */
    const char *content_type;    /* RFC 6838; NULL: "text/plain" */
    const void *body;            /* as readers shall have it */
    uint64_t body_size;
} tocsin_draft;

TOCSIN_API void tocsin_draft_init(tocsin_draft *ret_draft);

typedef struct tocsin_prepared tocsin_prepared;

/* Makes the id, a handle if there is none ("VENDOR-2026-7K3M9Q"), encodes the body (zstd if that
 * saves an eighth), and signs. Nothing is sent; the draft is not needed afterwards. Refuses what
 * the broker would refuse, as far as our own card and bundle tell:
 *   TOCSIN_E_TOPIC_DENIED, _TLP_DENIED, _WRONG_ROLE, _REVOKED   not granted on our card
 *   TOCSIN_E_DENIED     emergencies are not granted
 *   TOCSIN_E_TOO_LARGE  the body is above the program's limit, or an emergency's does not fit its
 *                       envelope (32768 bytes after compression)
 *   TOCSIN_E_NOT_FOUND  a name in `to` is not in our directory
 *   TOCSIN_E_INVALID    a field is missing or not what it should be
 *   TOCSIN_E_EXPIRED    the card or the bundle is no longer valid */
TOCSIN_API int32_t tocsin_prepare(tocsin_client *client, const tocsin_draft *draft,
                                  tocsin_prepared **ret_prepared, tocsin_error *error);

/* A cancel of an alert of ours, or, for an approver, of anyone's: TOCSIN_REASON_RETRACT (it was
 * wrong) or _ALL_CLEAR (it is over). Topic, lane, TLP, status and recipients are the alert's, which
 * is fetched. reason_text is shown to every reader; "" or NULL only for all-clear. */
TOCSIN_API int32_t tocsin_prepare_cancel(tocsin_client *client, const tocsin_id *id,
                                         uint32_t reason, const char *reason_text,
                                         tocsin_prepared **ret_prepared, tocsin_error *error);

/* What was submitted before and not yet answered: reads HOME/outgoing/ID. TOCSIN_E_NOT_FOUND. */
TOCSIN_API int32_t tocsin_prepared_open(tocsin_client *client, const tocsin_id *id,
                                        tocsin_prepared **ret_prepared, tocsin_error *error);
TOCSIN_API void tocsin_prepared_destroy(tocsin_prepared **prepared);
/* The alert as it will be sent; lives as long as prepared. */
TOCSIN_API const tocsin_alert *tocsin_prepared_alert(const tocsin_prepared *prepared);

/* How many nodes are entitled to it now. Asks on session whatever the lane. */
TOCSIN_API int32_t tocsin_count_entitled(tocsin_client *client, const tocsin_prepared *prepared,
                                         uint64_t *ret_nodes, tocsin_error *error);

typedef struct tocsin_answer {
    tocsin_id id;
    uint32_t accepted;  /* 1: in the journal, going out; 0: pending, held by the broker */
    uint32_t seq_known; /* 1: seq counts */
    uint64_t seq;       /* place in its lane */
    uint32_t entitled_known;
    uint32_t missing;  /* approvals still missing */
    uint64_t entitled; /* nodes entitled */
    char handle[36];
    char broker[64];
} tocsin_answer;

/* Called between pieces of a body's upload, from the same thread; not for inline bodies. */
typedef void tocsin_progress_fn(void *arg, uint64_t done_bytes, uint64_t total_bytes);

/* Saves it in HOME/outgoing, sends it, uploads an external body (from where an earlier try ended),
 * and returns the broker's answer, which is durable there. The saved copy goes away with an answer;
 * after TOCSIN_E_TIMEOUT or _UNREACHABLE it stays for tocsin_prepared_open: submitting it again is
 * safe, whether or not it was taken before. progress may be NULL. */
TOCSIN_API int32_t tocsin_submit(tocsin_client *client, const tocsin_prepared *prepared,
                                 tocsin_progress_fn *progress, void *progress_arg,
                                 tocsin_answer *ret_answer, tocsin_error *error);

/* ---- approving ---- */

/* Fetches an alert, held or sent, for its author, an approver or an operator, and verifies it
 * ourselves. Destroy with tocsin_alert_destroy. */
TOCSIN_API int32_t tocsin_fetch_alert(tocsin_client *client, const tocsin_id *id,
                                      tocsin_alert **ret_alert, tocsin_error *error);
TOCSIN_API void tocsin_alert_destroy(tocsin_alert **alert);

/* Signs exactly this alert as an approver and hands the signature over. TOCSIN_E_WRONG_ROLE without
 * that role, TOCSIN_E_CONFLICT if it already has our signature. */
TOCSIN_API int32_t tocsin_approve(tocsin_client *client, const tocsin_alert *alert,
                                  tocsin_answer *ret_answer, tocsin_error *error);

/* ---- asking ---- */

/* An id, a prefix of one (4 hex digits or more), a handle, or "last". TOCSIN_E_NOT_FOUND,
 * TOCSIN_E_CONFLICT (several begin so). */
TOCSIN_API int32_t tocsin_resolve(tocsin_client *client, const char *name, tocsin_id *ret_id,
                                  tocsin_error *error);

typedef struct tocsin_status {
    const char *broker, *version;
    uint64_t trust_version;
    int64_t trust_expires;
    tocsin_id epoch;
    uint64_t nodes_connected, nodes, clients;
    uint64_t bulk_seq, emergency_seq; /* the last of each lane */
    uint64_t held;
    uint64_t store_free, store_total; /* bytes */
    uint64_t uptime_ms;
    uint32_t alarm_count;
    const char *const *alarms;
} tocsin_status;

/* The broker's state. *ret_status lives until tocsin_free. */
TOCSIN_API int32_t tocsin_get_status(tocsin_client *client, tocsin_status **ret_status,
                                     tocsin_error *error);

/* Lists come in pages as they are read. Item pointers die with the next call on their list. */
typedef struct tocsin_items tocsin_items;
TOCSIN_API void tocsin_items_close(tocsin_items **items);

enum {
    TOCSIN_ALERT_HELD = 0,
    TOCSIN_ALERT_IN_FORCE = 1,
    TOCSIN_ALERT_CANCELLED = 2,
    TOCSIN_ALERT_SUPERSEDED = 3,
    TOCSIN_ALERT_EXPIRED = 4,
    TOCSIN_ALERT_VOIDED = 5,
    TOCSIN_ALERT_LAPSED = 6
};
/* What a held alert waits for. */
enum { TOCSIN_WAITS_APPROVAL = 1, TOCSIN_WAITS_BODY = 2, TOCSIN_WAITS_NOT_BEFORE = 4 };

typedef struct tocsin_alert_item {
    tocsin_id id;
    const char *handle, *topic, *title, *publisher;
    uint32_t seq_known, lane, tlp, status, state, kind; /* state: TOCSIN_ALERT_... */
    uint64_t seq;
    int64_t created, accepted, expires, not_before;
    uint32_t approvals_needed, waiting; /* waiting: TOCSIN_WAITS_... bits */
    uint32_t approver_count;
    const char *const *approvers; /* who signed so far */
    uint64_t body_have, body_size;
    uint8_t payload_hash[32];
} tocsin_alert_item;

/* Held alerts: a publisher's own, all emergencies for an approver, all for an operator. */
TOCSIN_API int32_t tocsin_list_pending(tocsin_client *client, tocsin_items **ret_items,
                                       tocsin_error *error);
/* Alerts, newest first: a publisher's own, all for an operator. with_past: 1 adds those no longer
 * in force. */
TOCSIN_API int32_t tocsin_list_alerts(tocsin_client *client, uint32_t with_past,
                                      tocsin_items **ret_items, tocsin_error *error);
/* *ret_item is NULL after the last. */
TOCSIN_API int32_t tocsin_next_alert_item(tocsin_items *items, const tocsin_alert_item **ret_item,
                                          tocsin_error *error);

enum {
    TOCSIN_NODE_PENDING = 0,
    TOCSIN_NODE_RECEIVED = 1,
    TOCSIN_NODE_ACKED = 2,
    TOCSIN_NODE_REJECTED = 3,
    TOCSIN_NODE_REVOKED = 4
};

typedef struct tocsin_board_item {
    const char *node;
    uint32_t state; /* TOCSIN_NODE_... */
    uint32_t latency_known, ack_known, rejected_known;
    int64_t received;
    uint64_t latency_ms; /* from acceptance at the broker to the receipt */
    uint32_t answer;     /* TOCSIN_ANSWER_..., if ack_known */
    uint32_t by_rule;    /* 1: a rule answered, not a person */
    int64_t acked;
    const char *ack_by, *note; /* "" for none */
    int32_t rejected;          /* why, if rejected_known */
} tocsin_board_item;

/* Who has it and who answered, one item for each entitled node, by name; author and operator. */
TOCSIN_API int32_t tocsin_list_board(tocsin_client *client, const tocsin_id *id,
                                     tocsin_items **ret_items, tocsin_error *error);
TOCSIN_API int32_t tocsin_next_board_item(tocsin_items *items, const tocsin_board_item **ret_item,
                                          tocsin_error *error);

typedef struct tocsin_explain_item {
    const char *term; /* "role", "card", "subscription", "grant", ... "verdict" is the last */
    uint32_t holds;
    const char *why;
} tocsin_explain_item;

/* Why a node does or does not get an alert; author and operator. */
TOCSIN_API int32_t tocsin_list_explain(tocsin_client *client, const tocsin_id *id, const char *node,
                                       tocsin_items **ret_items, tocsin_error *error);
TOCSIN_API int32_t tocsin_next_explain_item(tocsin_items *items,
                                            const tocsin_explain_item **ret_item,
                                            tocsin_error *error);

typedef struct tocsin_metric {
    uint32_t key; /* docs/protocol.md §7 */
    int64_t number;
    const char *text; /* NULL: a number */
} tocsin_metric;

typedef struct tocsin_metrics_item {
    const char *node;
    int64_t at;
    uint32_t metric_count;
    const tocsin_metric *metrics;
} tocsin_metrics_item;

/* What nodes last said of their health; operator. node: NULL for all. */
TOCSIN_API int32_t tocsin_list_metrics(tocsin_client *client, const char *node,
                                       tocsin_items **ret_items, tocsin_error *error);
TOCSIN_API int32_t tocsin_next_metrics_item(tocsin_items *items,
                                            const tocsin_metrics_item **ret_item,
                                            tocsin_error *error);
/* The name of a metric ("bulk-cursor"); NULL for a key not known. */
TOCSIN_API const char *tocsin_metric_name(uint32_t key);

typedef struct tocsin_directory_item {
    const char *node;
    uint32_t tlp; /* clearance */
    uint32_t community_count, pattern_count;
    const char *const *communities, *const *patterns; /* what it may receive */
} tocsin_directory_item;

/* The nodes that we may address by name, each card verified; publisher. */
TOCSIN_API int32_t tocsin_list_directory(tocsin_client *client, tocsin_items **ret_items,
                                         tocsin_error *error);
TOCSIN_API int32_t tocsin_next_directory_item(tocsin_items *items,
                                              const tocsin_directory_item **ret_item,
                                              tocsin_error *error);

/* Hands the broker a new trust file (`tocsin roster export`); operator. */
TOCSIN_API int32_t tocsin_put_roster(tocsin_client *client, const void *file, uint64_t size,
                                     tocsin_progress_fn *progress, void *progress_arg,
                                     tocsin_error *error);

#ifdef __cplusplus
}
#endif

#endif
