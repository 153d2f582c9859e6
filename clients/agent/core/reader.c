/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - see reader.h. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"

static void forget(tcn_agent *a)
{
    free(a->decoded);
    a->decoded = NULL;
    a->decoded_len = 0;
    a->decoded_for = 0;
}

void tcn_agent_reader_gone(tcn_agent *a, tcn_peer peer)
{
    if (a->decoded && a->decoded_for == peer)
        forget(a);
}

/* The encoded body, malloc'd. */
static tcn_err read_encoded(tcn_agent *a, const tcn_agent_item *item, uint8_t **ret_bytes)
{
    size_t len = (size_t)item->alert.body_size;
    if (!item->alert.external)
        return tcn_bytes_copy(item->alert.body, ret_bytes);
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    if (!bytes)
        return TCN_NO_MEMORY;
    size_t at = 0, got = 0;
    tcn_err err = TCN_OK;
    while (err == TCN_OK && at < len) {
        err = a->ports.blob.read(a->ports.blob.self, &item->id, at, bytes + at, len - at, &got);
        if (err == TCN_OK && got == 0)
            err = TCN_IO; /* shorter than what was signed */
        at += got;
    }
    if (err == TCN_OK)
        *ret_bytes = bytes;
    else
        free(bytes);
    return err;
}

static tcn_err decode(tcn_agent *a, tcn_peer peer, const tcn_agent_item *item, tcn_fault *fault)
{
    const tcn_alert_meta *meta = &item->alert.meta;
    if (a->decoded && tcn_id_equal(&a->decoded_id, &item->id)) {
        a->decoded_for = peer;
        return TCN_OK;
    }
    forget(a);
    uint64_t most = a->bundle->policy.max_body_bytes;
    if (item->alert.body_size > most || meta->decoded_size > most)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "the body is larger than the policy allows");
    uint8_t *encoded;
    tcn_err err = read_encoded(a, item, &encoded);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the body cannot be read: %s", tcn_err_text(err));
    err = tcn_body_decode(tcn_bytes_of(encoded, (size_t)item->alert.body_size), meta->encoding,
                          meta->decoded_size, most, &a->decoded);
    free(encoded);
    if (err != TCN_OK) {
        a->decoded = NULL;
        return tcn_fault_set(fault, err, "the body does not decode: %s", tcn_err_text(err));
    }
    a->decoded_len = (size_t)meta->decoded_size;
    a->decoded_id = item->id;
    a->decoded_for = peer;
    return TCN_OK;
}

static size_t copy_from(tcn_bytes bytes, uint64_t offset, size_t max, uint8_t *ret_bytes)
{
    if (offset >= bytes.len)
        return 0;
    size_t len = bytes.len - (size_t)offset;
    if (len > max)
        len = max;
    memcpy(ret_bytes, bytes.ptr + offset, len);
    return len;
}

/* A body as it was stored: no decoded copy is made. */
static tcn_err read_plain(tcn_agent *a, const tcn_agent_item *item, uint64_t offset, size_t max,
                          uint8_t *ret_bytes, size_t *ret_len, tcn_fault *fault)
{
    if (!item->alert.external) {
        *ret_len = copy_from(item->alert.body, offset, max, ret_bytes);
        return TCN_OK;
    }
    *ret_len = 0;
    if (offset >= item->alert.body_size)
        return TCN_OK;
    tcn_err err =
        a->ports.blob.read(a->ports.blob.self, &item->id, offset, ret_bytes, max, ret_len);
    return err == TCN_OK
               ? TCN_OK
               : tcn_fault_set(fault, err, "the body cannot be read: %s", tcn_err_text(err));
}

static tcn_err read_item(tcn_agent *a, const tcn_agent_ask *ask, uint8_t *ret_bytes,
                         tcn_agent_part *ret_part, tcn_fault *fault)
{
    tcn_agent_item item;
    tcn_err err = tcn_agent_item_load(a, &ask->id, &item);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "no such alert is held here");
    if (item.record.marks & TCN_MARK_BODY_TO_COME)
        return tcn_fault_set(fault, TCN_CANNOT_YET, "the body is still being fetched");
    size_t max =
        ask->max == 0 || ask->max > TCN_MAX_CHUNK_BYTES ? TCN_MAX_CHUNK_BYTES : (size_t)ask->max;
    ret_part->total = item.alert.meta.decoded_size;
    if (item.alert.meta.encoding == TCN_ENCODING_IDENTITY)
        return read_plain(a, &item, ask->offset, max, ret_bytes, &ret_part->len, fault);
    err = decode(a, ask->peer, &item, fault);
    if (err != TCN_OK)
        return err;
    ret_part->len =
        copy_from(tcn_bytes_of(a->decoded, a->decoded_len), ask->offset, max, ret_bytes);
    if (ask->offset + ret_part->len >= a->decoded_len)
        forget(a); /* read to its end */
    return TCN_OK;
}

tcn_err tcn_agent_read_body(tcn_agent *a, const tcn_agent_ask *ask, uint8_t *ret_bytes,
                            tcn_agent_part *ret_part, tcn_fault *fault)
{
    tcn_err err = tcn_agent_begin_read(a);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be read");
    err = read_item(a, ask, ret_bytes, ret_part, fault);
    tcn_agent_end_read(a);
    return err;
}
