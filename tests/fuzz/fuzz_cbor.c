/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: what tcn_cbor_check passes, the typed reader reads and the writer writes as it was;
 * and any sequence of getters stays within the input. */
#include <stdlib.h>

#include "libtocsin/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads and writes one item; false where floats and the like are met. check bounds the depth. */
static bool rewrite(tcn_cbor_reader *r, tcn_cbor_writer *w)
{
    size_t items = 0;
    switch (tcn_cbor_peek(r)) {
    case TCN_CBOR_UINT: tcn_cbor_put_uint(w, tcn_cbor_get_uint(r)); break;
    case TCN_CBOR_NEGATIVE: tcn_cbor_put_int(w, tcn_cbor_get_int(r)); break;
    case TCN_CBOR_BYTES: tcn_cbor_put_bytes(w, tcn_cbor_get_bytes(r, SIZE_MAX)); break;
    case TCN_CBOR_TEXT: tcn_cbor_put_text_bytes(w, tcn_cbor_get_text(r, SIZE_MAX)); break;
    case TCN_CBOR_ARRAY:
        items = tcn_cbor_get_array(r, SIZE_MAX);
        tcn_cbor_put_array(w, items);
        break;
    case TCN_CBOR_MAP:
        items = 2 * tcn_cbor_get_map(r, SIZE_MAX);
        tcn_cbor_put_map(w, items / 2);
        break;
    case TCN_CBOR_TAG:
        items = 1;
        tcn_cbor_put_tag(w, tcn_cbor_get_tag(r));
        break;
    case TCN_CBOR_BOOL: tcn_cbor_put_bool(w, tcn_cbor_get_bool(r)); break;
    case TCN_CBOR_NULL:
        tcn_cbor_get_null(r);
        tcn_cbor_put_null(w);
        break;
    case TCN_CBOR_OTHER:
    case TCN_CBOR_END: return false;
    }
    for (; items > 0; items--)
        if (!rewrite(r, w))
            return false;
    return r->err == TCN_OK;
}

static void check_rewriting(tcn_bytes input)
{
    tcn_cbor_reader r;
    tcn_cbor_writer w;
    tcn_bytes written;
    if (tcn_cbor_check(input, 64) != TCN_OK)
        return;
    uint8_t *memory = malloc(input.len);
    if (memory == NULL)
        return;
    tcn_cbor_reader_init(&r, input);
    tcn_cbor_writer_init(&w, memory, input.len);
    if (rewrite(&r, &w)) {
        if (tcn_cbor_reader_done(&r) != TCN_OK || tcn_cbor_writer_done(&w, &written) != TCN_OK ||
            !tcn_bytes_equal(input, written))
            abort();
    }
    free(memory);
}

/* The first bytes say which getters are called on the rest. */
static void call_getters(const uint8_t *calls, size_t count, tcn_bytes input)
{
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX;
    char text[16];
    tcn_cbor_reader_init(&r, input);
    for (size_t i = 0; i < count; i++) {
        switch (calls[i] % 14) {
        case 0: (void)tcn_cbor_get_uint(&r); break;
        case 1: (void)tcn_cbor_get_int(&r); break;
        case 2: (void)tcn_cbor_get_bytes(&r, calls[i]); break;
        case 3: (void)tcn_cbor_get_text(&r, calls[i]); break;
        case 4: (void)tcn_cbor_get_array(&r, SIZE_MAX); break;
        case 5: (void)tcn_cbor_get_map(&r, SIZE_MAX); break;
        case 6: (void)tcn_cbor_get_tag(&r); break;
        case 7: (void)tcn_cbor_get_bool(&r); break;
        case 8: (void)tcn_cbor_take_null(&r); break;
        case 9: (void)tcn_cbor_get_id(&r); break;
        case 10: (void)tcn_cbor_get_hash(&r); break;
        case 11: tcn_cbor_get_str(&r, text, sizeof(text)); break;
        case 12: (void)tcn_cbor_get_key(&r, &previous); break;
        default: (void)tcn_cbor_get_item(&r); break;
        }
        if (r.pos > r.len)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_rewriting(tcn_bytes_of(data, size));
    size_t calls = size < 8 ? size : 8;
    call_getters(data, calls, tcn_bytes_of(data + calls, size - calls));
    return 0;
}
