/* SPDX-License-Identifier: Apache-2.0 */
/* client_answer.h - ANSWER frames as the public API shows them. */
#ifndef TCN_CLIENT_ANSWER_H
#define TCN_CLIENT_ANSWER_H

#include "client_core.h"

void tcn_answer_show(const tcn_wire_answer *answer, const tocsin_client *client,
                     tocsin_answer *ret_answer);
/* The broker sent something that is no answer to the question: sets error. */
int32_t tcn_answer_none(const tocsin_client *client, tocsin_error *error);

#endif
