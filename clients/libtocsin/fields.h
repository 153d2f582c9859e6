/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - objects as tables of fields: one table per object reads it, writes it, and says in a
 * fault which field is wrong and what it should be. Internal to libtocsin's object modules.
 * Rules of docs/protocol.md: required keys are there, unknown keys below 64 are refused, from 64 up
 * skipped. */
#ifndef TCN_FIELDS_H
#define TCN_FIELDS_H

#include "cbor.h"
#include "when.h"

/* The last millisecond of the year 9999: times add up without overflow and can be printed. */
#define TCN_WALL_MAX_MS INT64_C(253402300799999)
#define TCN_FIRST_FREE_KEY 64

typedef struct tcn_field tcn_field;

/* One value being read into memory; failing the reader fails the object. */
typedef struct {
    tcn_cbor_reader *r;
    const tcn_field *field;
    void *value;
    tcn_fault *fault; /* for a nested object that knows more; may be NULL */
} tcn_field_in;

typedef struct {
    tcn_cbor_writer *w;
    const tcn_field *field;
    const void *value;
} tcn_field_out;

typedef struct {
    void (*get)(const tcn_field_in *in);
    void (*put)(const tcn_field_out *out);
    bool (*is_absent)(const void *value); /* asked for optional fields only */
    const char *wants;                    /* completes "publisher wants ..." */
} tcn_field_kind;

typedef enum {
    TCN_REQUIRED,
    TCN_OPTIONAL, /* there if and only if not is_absent: one value, one spelling */
    TCN_LENIENT   /* written like optional; an absent-like value is accepted too */
} tcn_field_need;

struct tcn_field {
    uint64_t key; /* in a map; not used in an array */
    const char *name;
    tcn_field_need need;
    const tcn_field_kind *kind;
    size_t offset; /* of the value in its struct */
    uint64_t max;  /* what the kind makes of it: largest number, length, count */
    size_t has;    /* 1 + offset of a bool that says whether it is there; 0: no such bool */
};

/* Rows of a table. */
#define TCN_FIELD(type, key, name, need, kind, member, max)                                        \
    {                                                                                              \
        key, name, need, &(kind), offsetof(type, member), max, 0                                   \
    }
#define TCN_FIELD_IF(type, key, name, flag, kind, member, max)                                     \
    {                                                                                              \
        key, name, TCN_LENIENT, &(kind), offsetof(type, member), max, 1 + offsetof(type, flag)     \
    }
/* A kind that takes the whole struct: lists with their count. */
#define TCN_FIELD_ALL(key, name, need, kind, max)                                                  \
    {                                                                                              \
        key, name, need, &(kind), 0, max, 0                                                        \
    }
#define TCN_FIELD_ALL_IF(type, key, name, flag, kind, max)                                         \
    {                                                                                              \
        key, name, TCN_LENIENT, &(kind), 0, max, 1 + offsetof(type, flag)                          \
    }
#define TCN_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Fields of one object, keys ascending, at most 32. */
typedef struct {
    const char *object; /* "alert", for faults */
    const tcn_field *field;
    unsigned count;
} tcn_fields;

#define TCN_FIELDS(object, table)                                                                  \
    {                                                                                              \
        object, table, (unsigned)TCN_COUNT_OF(table)                                               \
    }

/* A map. ret_object must have been zeroed. On failure the reader is failed, fault says why, and
 * ret_object holds what was read so far, for its _fini. */
void tcn_fields_get_map(tcn_cbor_reader *r, const tcn_fields *fields, void *ret_object,
                        tcn_fault *fault);
void tcn_fields_put_map(tcn_cbor_writer *w, const tcn_fields *fields, const void *object);
/* The items of an array whose head is read or written elsewhere: the table's, all, in its order. */
void tcn_fields_get_items(tcn_cbor_reader *r, const tcn_fields *fields, void *ret_object,
                          tcn_fault *fault);
void tcn_fields_put_items(tcn_cbor_writer *w, const tcn_fields *fields, const void *object);

/* Fails the reader and fills the fault with the cause, unless it has failed before. */
void tcn_fields_fail(tcn_cbor_reader *r, tcn_fault *fault, tcn_err err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A decoder's two ends: _begin clears fault, so that whoever fails first explains; _done is TCN_OK
 * if the whole input was read well, else the error with a fault. */
void tcn_fields_begin(tcn_cbor_reader *r, tcn_bytes input, tcn_fault *fault);
TCN_CHECKED tcn_err tcn_fields_done(const tcn_cbor_reader *r, const char *object, tcn_fault *fault);

/* What the C value is, and what max means: */
extern const tcn_field_kind tcn_as_uint;     /* uint64_t; largest */
extern const tcn_field_kind tcn_as_choice;   /* an enum or unsigned; largest */
extern const tcn_field_kind tcn_as_bool;     /* bool */
extern const tcn_field_kind tcn_as_wall;     /* tcn_wall; 0 is absent */
extern const tcn_field_kind tcn_as_id;       /* tcn_id; all zero is absent */
extern const tcn_field_kind tcn_as_hash;     /* tcn_hash */
extern const tcn_field_kind tcn_as_key;      /* 32 bytes */
extern const tcn_field_kind tcn_as_bytes;    /* tcn_bytes; longest */
extern const tcn_field_kind tcn_as_text;     /* tcn_bytes; longest; empty is absent */
extern const tcn_field_kind tcn_as_name;     /* tcn_bytes */
extern const tcn_field_kind tcn_as_name_str; /* char[NAME_CHARS + 1] */
extern const tcn_field_kind tcn_as_str;      /* char[max + 1], not empty */

/* The head of an array of exactly this many items. */
void tcn_fields_get_tuple(tcn_cbor_reader *r, size_t items);
/* Reads a name and fails the reader if it is none, or not above *previous (names ascending);
 * start with previous zeroed. */
tcn_bytes tcn_fields_get_name(tcn_cbor_reader *r, tcn_bytes *previous);

#endif
