/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.c - see alerts.h. */
#include "alerts.h"

#include "held.h"
#include "journal.h"

tcn_err tcn_alert_list(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key all = tcn_key_accepted(index->accepted, id);
    tcn_key own = tcn_key_of_publisher(index->publisher, index->accepted, id);
    tcn_err err = tcn_db_mark(b, &all);
    return err == TCN_OK ? tcn_db_mark(b, &own) : err;
}

tcn_err tcn_alert_unlist(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key all = tcn_key_accepted(index->accepted, id);
    tcn_key own = tcn_key_of_publisher(index->publisher, index->accepted, id);
    tcn_err err = tcn_db_del(b, &all);
    return err == TCN_OK ? tcn_db_del(b, &own) : err;
}

tcn_err tcn_alert_load(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                       tcn_alert *ret_alert)
{
    tcn_bytes held;
    tcn_entry scratch;
    const tcn_entry *e;
    if (index->seq > 0) {
        tcn_err err = tcn_journal_at(b, index->lane, index->seq, &scratch, &e);
        if (err == TCN_OK)
            *ret_alert = e->alert;
        return err;
    }
    tcn_err err = tcn_held_envelope(b, id, &held);
    return err == TCN_OK ? tcn_envelope_alert(held, ret_alert) : err;
}
