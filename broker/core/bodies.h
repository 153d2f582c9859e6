/* SPDX-License-Identifier: Apache-2.0 */
/* bodies.h - external bodies: uploaded in pieces while their alert is held, fetched in pieces by
 * those entitled to it. The blob port changes in settle only; an upload's answers wait for it. */
#ifndef TCN_BROKER_BODIES_H
#define TCN_BROKER_BODIES_H

#include "call.h"

TCN_CHECKED tcn_err tcn_body_upload(tcn_call *call);
TCN_CHECKED tcn_err tcn_body_fetch(tcn_call *call);
/* TCN_IN_BLOB. */
TCN_CHECKED tcn_err tcn_body_done(tcn_broker *b, const tcn_blob_done *done);
/* What a completion said could not be stored: those that wait are told. Between transactions. */
void tcn_body_failed(tcn_broker *b, const tcn_id *id, tcn_err err);
/* Queues the removal of the file. */
TCN_CHECKED tcn_err tcn_body_remove(tcn_broker *b, const tcn_id *id);
/* Queues what an interrupted upload still needs: the check of a body that is all there. */
TCN_CHECKED tcn_err tcn_body_resume(tcn_broker *b, const tcn_id *id, const tcn_index *index);
void tcn_bodies_free(tcn_broker *b);

#endif
