/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - see resolve.h. */
#include "resolve.h"

#include <stdio.h>
#include <string.h>

#include "cache.h"
#include "libtocsin/text.h"

#define CANDIDATES 4u
#define LAST_SEARCH 256u

/* The candidates so far, in words. */
typedef struct {
    tcn_id first;
    unsigned count;
    char text[160];
} candidates;

static void add_candidate(tcn_agent *a, candidates *found, const tcn_id *id)
{
    tcn_agent_item item;
    char text[TCN_ID_TEXT_SIZE], handle[TCN_MAX_HANDLE_CHARS + 1] = "";
    if (found->count++ == 0)
        found->first = *id;
    if (found->count > CANDIDATES || tcn_agent_item_load(a, id, &item) != TCN_OK)
        return;
    tcn_id_text(id, text);
    (void)tcn_text_line(item.alert.meta.handle, handle, sizeof handle);
    size_t len = strlen(found->text);
    (void)snprintf(found->text + len, sizeof found->text - len, "%s%s",
                   found->count > 1 ? ", " : "", handle[0] != '\0' ? handle : text);
}

static tcn_err by_handle(tcn_agent *a, tcn_bytes text, candidates *found)
{
    tcn_agent_key table = tcn_agent_key_handle(text, NULL), key;
    tcn_bytes value;
    tcn_id id;
    tcn_err err = tcn_agent_first(a, &table, NULL, &key, &value);
    for (; err == TCN_OK; err = tcn_agent_first(a, &table, &key, &key, &value))
        if (key.len == table.len + sizeof id.b &&
            tcn_agent_key_last_id(tcn_agent_key_bytes(&key), &id))
            add_candidate(a, found, &id);
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err by_prefix(tcn_agent *a, const tcn_id_prefix *prefix, candidates *found)
{
    tcn_agent_key table = tcn_agent_key_of('A'), key;
    tcn_bytes value;
    tcn_id id;
    memcpy(table.b + table.len, prefix->id.b, prefix->digits / 2);
    table.len += prefix->digits / 2;
    tcn_err err = tcn_agent_first(a, &table, NULL, &key, &value);
    for (; err == TCN_OK && found->count <= CANDIDATES;
         err = tcn_agent_first(a, &table, &key, &key, &value)) {
        if (tcn_agent_key_last_id(tcn_agent_key_bytes(&key), &id) && tcn_id_has_prefix(&id, prefix))
            add_candidate(a, found, &id);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err newest(tcn_agent *a, candidates *found)
{
    tcn_agent_key table = tcn_agent_key_of('I'), key;
    tcn_bytes value;
    tcn_id any = {.b = {0}};
    bool has_any = false;
    tcn_err err = tcn_agent_last(a, &table, NULL, &key, &value);
    for (unsigned i = 0; err == TCN_OK && i < LAST_SEARCH && key.len == 9; i++) {
        tcn_agent_record record;
        tcn_id id;
        uint64_t serial = tcn_agent_get_u64(key.b + 1);
        if (value.len == sizeof id.b) {
            memcpy(id.b, value.ptr, sizeof id.b);
            if (tcn_agent_record_load(a, &id, &record) == TCN_OK) {
                if (!has_any)
                    any = id;
                has_any = true;
                if (record.kind != TCN_KIND_CANCEL) {
                    found->first = id;
                    found->count = 1;
                    return TCN_OK;
                }
            }
        }
        if (serial == 0)
            break;
        key = tcn_agent_key_number('I', serial - 1);
        err = tcn_agent_last(a, &table, &key, &key, &value);
    }
    found->first = any;
    found->count = has_any;
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

tcn_err tcn_agent_resolve(tcn_agent *a, tcn_bytes text, tcn_id *ret_id, tcn_fault *fault)
{
    candidates found = {.count = 0};
    tcn_id_prefix prefix = {.digits = 0};
    char shown[64];
    (void)tcn_text_line(text, shown, sizeof shown);
    tcn_err err = TCN_OK;
    if (tcn_bytes_equal(text, tcn_bytes_str("last"))) {
        err = newest(a, &found);
    } else {
        if (text.len > 0 && text.len <= TCN_MAX_HANDLE_CHARS)
            err = by_handle(a, text, &found);
        if (tcn_id_prefix_parse(text, &prefix) != TCN_OK)
            prefix.digits = 0;
        if (err == TCN_OK && found.count == 0 && prefix.digits >= TCN_ID_PREFIX_LEAST)
            err = by_prefix(a, &prefix, &found);
    }
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be read");
    if (found.count == 1) {
        *ret_id = found.first;
        return TCN_OK;
    }
    if (found.count > 1)
        return tcn_fault_set(fault, TCN_INVALID, "\"%s\" is ambiguous: %s%s", shown, found.text,
                             found.count > CANDIDATES ? ", …" : "");
    if (prefix.digits > 0 && prefix.digits < TCN_ID_PREFIX_LEAST)
        return tcn_fault_set(fault, TCN_INVALID, "\"%s\": give at least %d digits of the id", shown,
                             TCN_ID_PREFIX_LEAST);
    return tcn_fault_set(fault, TCN_NOT_FOUND, "no alert \"%s\" is held here", shown);
}
