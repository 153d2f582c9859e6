/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - see tell.h. */
#include "tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libtocsin/text.h"
#include "state.h"

void tcn_log_line(tcn_broker *b, tcn_event event, const char *format, ...)
{
    char raw[512], line[512];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    size_t len = wanted < 0 ? 0 : (size_t)wanted;
    tcn_text_line(tcn_bytes_of(raw, len < sizeof(raw) ? len : sizeof(raw) - 1), line, sizeof(line));
    tcn_log_event_write(&b->ports.log, tcn_event_of(event), line);
}

/* Forgets the oldest alarm: of the kind that text begins with, if that has its share; of all. */
static void make_room(tcn_broker *b, const char *kind, size_t kind_len)
{
    unsigned of_kind = 0, oldest = 0;
    for (unsigned i = b->alarms; i-- > 0;) {
        if (strncmp(b->alarm[i], kind, kind_len) != 0)
            continue;
        of_kind++;
        oldest = i;
    }
    if (of_kind < TCN_ALARMS_A_KIND) {
        if (b->alarms < TCN_ALARMS)
            return;
        oldest = 0;
    }
    b->alarms--;
    memmove(b->alarm[oldest], b->alarm[oldest + 1], sizeof(b->alarm[0]) * (b->alarms - oldest));
}

void tcn_alarm(tcn_broker *b, tcn_event event, const char *format, ...)
{
    char raw[TCN_ALARM_CHARS], text[TCN_ALARM_CHARS];
    int head = snprintf(raw, sizeof(raw), "%s: ", tcn_event_of(event)->word);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw + head, sizeof(raw) - (size_t)head, format, args);
    va_end(args);
    tcn_text_line(tcn_bytes_str(raw), text, sizeof(text));
    for (unsigned i = 0; i < b->alarms; i++)
        if (strcmp(b->alarm[i], text) == 0)
            return;
    make_room(b, text, (size_t)head);
    memcpy(b->alarm[b->alarms++], text, sizeof(text));
    b->stats.alarms++;
    tcn_log_event_write(&b->ports.log, tcn_event_of(event), text + head);
}

/* ---- audit ---- */

tcn_err tcn_audit(tcn_broker *b, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tcn_log_line(b, TCN_EVENT_AUDIT, "%s", text);

    tcn_meta meta;
    tcn_err err = tcn_db_meta(b, &meta);
    if (err != TCN_OK)
        return err;
    uint8_t memory[512];
    tcn_pack p;
    tcn_bytes record;
    tcn_key key = tcn_key_number('U', meta.audits);
    tcn_pack_init(&p, memory, sizeof(memory));
    tcn_pack_u64(&p, (uint64_t)b->now.unix_ms);
    tcn_pack_str(&p, tcn_bytes_str(text));
    err = tcn_pack_seal(&p, &record);
    if (err == TCN_OK)
        err = tcn_db_put(b, &key, record);
    if (err == TCN_OK && meta.audits >= TCN_AUDIT_ROWS) {
        tcn_key old = tcn_key_number('U', meta.audits - TCN_AUDIT_ROWS);
        err = tcn_db_del(b, &old);
    }
    meta.audits++;
    return err == TCN_OK ? tcn_db_put_meta(b, &meta) : err;
}
