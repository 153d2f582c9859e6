/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - see fields.h. */
#include "fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "limits.h"
#include "text.h"

/* ---- kinds ---- */

static void get_uint(const tcn_field_in *in)
{
    *(uint64_t *)in->value = tcn_cbor_get_uint_max(in->r, in->field->max);
}

static void put_uint(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, *(const uint64_t *)out->value);
}

static bool uint_is_absent(const void *value)
{
    return *(const uint64_t *)value == 0;
}

static void get_choice(const tcn_field_in *in)
{
    *(unsigned *)in->value = (unsigned)tcn_cbor_get_uint_max(in->r, in->field->max);
}

static void put_choice(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, *(const unsigned *)out->value);
}

static bool choice_is_absent(const void *value)
{
    return *(const unsigned *)value == 0;
}

static void get_bool(const tcn_field_in *in)
{
    *(bool *)in->value = tcn_cbor_get_bool(in->r);
}

static void put_bool(const tcn_field_out *out)
{
    tcn_cbor_put_bool(out->w, *(const bool *)out->value);
}

static void get_wall(const tcn_field_in *in)
{
    ((tcn_wall *)in->value)->unix_ms = (int64_t)tcn_cbor_get_uint_max(in->r, TCN_WALL_MAX_MS);
}

static void put_wall(const tcn_field_out *out)
{
    /* A negative time becomes a negative integer, which no reader takes. */
    tcn_cbor_put_int(out->w, ((const tcn_wall *)out->value)->unix_ms);
}

static bool wall_is_absent(const void *value)
{
    return ((const tcn_wall *)value)->unix_ms == 0;
}

static void get_id(const tcn_field_in *in)
{
    *(tcn_id *)in->value = tcn_cbor_get_id(in->r);
}

static void put_id(const tcn_field_out *out)
{
    tcn_cbor_put_id(out->w, out->value);
}

static bool id_is_absent(const void *value)
{
    return tcn_id_is_zero(value);
}

static void get_hash(const tcn_field_in *in)
{
    *(tcn_hash *)in->value = tcn_cbor_get_hash(in->r);
}

static void get_key(const tcn_field_in *in)
{
    tcn_hash bytes = tcn_cbor_get_hash(in->r);
    memcpy(in->value, bytes.b, sizeof(bytes.b));
}

static void put_32(const tcn_field_out *out)
{
    tcn_cbor_put_bytes(out->w, tcn_bytes_of(out->value, 32));
}

static void get_bytes(const tcn_field_in *in)
{
    *(tcn_bytes *)in->value = tcn_cbor_get_bytes(in->r, (size_t)in->field->max);
}

static void put_bytes(const tcn_field_out *out)
{
    tcn_cbor_put_bytes(out->w, *(const tcn_bytes *)out->value);
}

static void get_text(const tcn_field_in *in)
{
    *(tcn_bytes *)in->value = tcn_cbor_get_text(in->r, (size_t)in->field->max);
}

static void put_text(const tcn_field_out *out)
{
    tcn_cbor_put_text_bytes(out->w, *(const tcn_bytes *)out->value);
}

static bool text_is_absent(const void *value)
{
    return ((const tcn_bytes *)value)->len == 0;
}

void tcn_fields_get_tuple(tcn_cbor_reader *r, size_t items)
{
    if (tcn_cbor_get_array(r, items) != items)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

tcn_bytes tcn_fields_get_name(tcn_cbor_reader *r, tcn_bytes *previous)
{
    tcn_bytes name = tcn_cbor_get_text(r, TCN_MAX_NAME_CHARS);
    if (!tcn_name_is_valid(name) || tcn_bytes_compare(*previous, name) >= 0)
        tcn_cbor_fail(r, TCN_MALFORMED);
    *previous = name;
    return name;
}

static void get_name(const tcn_field_in *in)
{
    *(tcn_bytes *)in->value = tcn_fields_get_name(in->r, &(tcn_bytes){NULL, 0});
}

static void get_name_str(const tcn_field_in *in)
{
    tcn_cbor_get_str(in->r, in->value, TCN_MAX_NAME_CHARS + 1);
    if (!tcn_name_is_valid(tcn_bytes_str(in->value)))
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void get_str(const tcn_field_in *in)
{
    tcn_cbor_get_str(in->r, in->value, (size_t)in->field->max + 1);
    if (*(const char *)in->value == '\0')
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_str(const tcn_field_out *out)
{
    tcn_cbor_put_text(out->w, out->value);
}

const tcn_field_kind tcn_as_uint = {get_uint, put_uint, uint_is_absent, "a number in its range"};
const tcn_field_kind tcn_as_choice = {get_choice, put_choice, choice_is_absent,
                                      "one of the numbers that mean something"};
const tcn_field_kind tcn_as_bool = {get_bool, put_bool, NULL, "true or false"};
const tcn_field_kind tcn_as_wall = {get_wall, put_wall, wall_is_absent,
                                    "a time in milliseconds, 1970 to 9999"};
const tcn_field_kind tcn_as_id = {get_id, put_id, id_is_absent, "16 bytes"};
const tcn_field_kind tcn_as_hash = {get_hash, put_32, NULL, "32 bytes"};
const tcn_field_kind tcn_as_key = {get_key, put_32, NULL, "32 bytes"};
const tcn_field_kind tcn_as_bytes = {get_bytes, put_bytes, text_is_absent, "a byte string"};
const tcn_field_kind tcn_as_text = {get_text, put_text, text_is_absent, "a text of UTF-8"};
const tcn_field_kind tcn_as_name = {get_name, put_text, text_is_absent,
                                    "a name of a-z, 0-9 and inner hyphens, at most 63 characters"};
const tcn_field_kind tcn_as_name_str = {
    get_name_str, put_str, NULL, "a name of a-z, 0-9 and inner hyphens, at most 63 characters"};
const tcn_field_kind tcn_as_str = {get_str, put_str, NULL, "a text of UTF-8, not empty"};

/* ---- tables ---- */

void tcn_fields_fail(tcn_cbor_reader *r, tcn_fault *fault, tcn_err err, const char *format, ...)
{
    if (r->err != TCN_OK)
        return;
    char text[sizeof(fault->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tcn_cbor_fail(r, tcn_fault_set(fault, err, "%s", text));
}

void tcn_fields_begin(tcn_cbor_reader *r, tcn_bytes input, tcn_fault *fault)
{
    tcn_cbor_reader_init(r, input);
    if (fault != NULL)
        *fault = (tcn_fault){.err = TCN_OK};
}

tcn_err tcn_fields_done(const tcn_cbor_reader *r, const char *object, tcn_fault *fault)
{
    if (r->err != TCN_OK) {
        /* Who failed it has mostly said why. */
        if (fault != NULL && fault->err == TCN_OK)
            tcn_fault_set(fault, r->err, "the %s is not what the format demands", object);
        return r->err;
    }
    if (r->pos != r->len)
        return tcn_fault_set(fault, TCN_MALFORMED, "the %s is followed by other bytes", object);
    return TCN_OK;
}

static bool is_present(const tcn_field *field, const void *object)
{
    if (field->has > 0)
        return *(const bool *)((const uint8_t *)object + field->has - 1);
    return field->need == TCN_REQUIRED ||
           !field->kind->is_absent((const uint8_t *)object + field->offset);
}

static void get_field(tcn_cbor_reader *r, const tcn_fields *fields, const tcn_field *field,
                      void *object, tcn_fault *fault)
{
    field->kind->get(&(tcn_field_in){r, field, (uint8_t *)object + field->offset, fault});
    if (r->err != TCN_OK && fault != NULL && fault->err == TCN_OK)
        tcn_fault_set(fault, r->err, "%s: %s %s %s", fields->object, field->name,
                      r->err == TCN_TOO_LARGE ? "is too large: it wants" : "wants",
                      field->kind->wants);
    if (field->has > 0)
        *(bool *)((uint8_t *)object + field->has - 1) = r->err == TCN_OK;
    else if (r->err == TCN_OK && field->need == TCN_OPTIONAL && !is_present(field, object))
        tcn_fields_fail(r, fault, TCN_MALFORMED, "%s: %s is there but means nothing; leave it out",
                        fields->object, field->name);
}

static const tcn_field *find(const tcn_fields *fields, uint64_t key)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (fields->field[i].key == key)
            return &fields->field[i];
    return NULL;
}

void tcn_fields_get_map(tcn_cbor_reader *r, const tcn_fields *fields, void *ret_object,
                        tcn_fault *fault)
{
    TCN_REQUIRE(fields->count <= 32);
    uint32_t seen = 0;
    uint64_t previous = UINT64_MAX;
    size_t pairs = tcn_cbor_get_map(r, SIZE_MAX);
    for (size_t i = 0; i < pairs && r->err == TCN_OK; i++) {
        uint64_t key = tcn_cbor_get_key(r, &previous);
        const tcn_field *field = find(fields, key);
        if (r->err != TCN_OK) {
            break;
        } else if (field != NULL) {
            seen |= UINT32_C(1) << (field - fields->field);
            get_field(r, fields, field, ret_object, fault);
        } else if (key >= TCN_FIRST_FREE_KEY) {
            (void)tcn_cbor_get_item(r);
        } else {
            tcn_fields_fail(r, fault, TCN_MALFORMED,
                            "%s: key %" PRIu64 " is unknown; the sender may be newer",
                            fields->object, key);
        }
    }
    for (unsigned i = 0; i < fields->count; i++) {
        const tcn_field *field = &fields->field[i];
        bool wanted = field->need == TCN_REQUIRED ||
                      (field->need == TCN_OPTIONAL && is_present(field, ret_object));
        if (wanted && (seen & UINT32_C(1) << i) == 0)
            tcn_fields_fail(r, fault, TCN_MALFORMED, "%s: %s is missing", fields->object,
                            field->name);
    }
}

void tcn_fields_put_map(tcn_cbor_writer *w, const tcn_fields *fields, const void *object)
{
    unsigned pairs = 0;
    for (unsigned i = 0; i < fields->count; i++)
        pairs += is_present(&fields->field[i], object);
    tcn_cbor_put_map(w, pairs);
    for (unsigned i = 0; i < fields->count; i++) {
        const tcn_field *field = &fields->field[i];
        if (!is_present(field, object))
            continue;
        tcn_cbor_put_uint(w, field->key);
        field->kind->put(&(tcn_field_out){w, field, (const uint8_t *)object + field->offset});
    }
}

void tcn_fields_get_items(tcn_cbor_reader *r, const tcn_fields *fields, void *ret_object,
                          tcn_fault *fault)
{
    for (unsigned i = 0; i < fields->count && r->err == TCN_OK; i++)
        get_field(r, fields, &fields->field[i], ret_object, fault);
}

void tcn_fields_put_items(tcn_cbor_writer *w, const tcn_fields *fields, const void *object)
{
    for (unsigned i = 0; i < fields->count; i++) {
        const tcn_field *field = &fields->field[i];
        field->kind->put(&(tcn_field_out){w, field, (const uint8_t *)object + field->offset});
    }
}
