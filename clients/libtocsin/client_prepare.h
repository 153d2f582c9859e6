/* SPDX-License-Identifier: Apache-2.0 */
/* client_prepare.h - an alert that is signed and ready to be sent, and where it waits for that:
 *   HOME/outgoing/ID.envelope, and for an external body HOME/outgoing/ID.body (encoded). */
#ifndef TCN_CLIENT_PREPARE_H
#define TCN_CLIENT_PREPARE_H

#include "client_alert.h"
#include "client_core.h"

struct tocsin_prepared {
    tocsin_alert *alert; /* owns the envelope */
    uint8_t *body;       /* external: encoded; else NULL */
    size_t body_len;
};

/* What is to be signed: the metadata with views, the decoded body, and in which role. */
typedef struct {
    tcn_alert_meta meta; /* id, program, publisher, created, encoding and size are filled in here */
    tcn_bytes body;
    tcn_role role;
    const char *const *to; /* nodes by name, for the audience */
    uint32_t to_count;
    const tcn_alert_meta *same_audience; /* or: the nodes that this other alert names */
} tcn_manuscript;

/* Fills in, encodes, signs, and verifies as the broker will. */
TCN_CHECKED int32_t tcn_manuscript_sign(tocsin_client *client, tcn_manuscript *script,
                                        tocsin_prepared **ret_prepared, tocsin_error *error);
/* Sets audience marks in memory (17 bytes for each; TCN_MAX_AUDIENCE at most). */
TCN_CHECKED int32_t tcn_audience_fill(tocsin_client *client, tcn_manuscript *script,
                                      uint8_t *memory, tocsin_error *error);
/* Verifies an envelope with the client's trust, as one that decides on it now (accepting) or as a
 * reader, and shows it. */
TCN_CHECKED int32_t tcn_client_verify(tocsin_client *client, tcn_bytes envelope, bool accepting,
                                      tocsin_alert **ret_alert, tocsin_error *error);

TCN_CHECKED tcn_err tcn_outgoing_save(const tocsin_client *client, const tocsin_prepared *prepared,
                                      tcn_fault *fault);
void tcn_outgoing_remove(const tocsin_client *client, const tocsin_id *id);

#endif
