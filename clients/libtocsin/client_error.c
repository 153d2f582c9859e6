/* SPDX-License-Identifier: Apache-2.0 */
/* client_error.c - errors, ids and text of the public API (tocsin/types.h). */
#include "client_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "text.h"

/* The public numbers are the wire's. */
#define SAME(name) _Static_assert((int)TOCSIN_E_##name == (int)TCN_##name, #name)
SAME(MALFORMED);
SAME(TOO_LARGE);
SAME(NOT_FOUND);
SAME(DENIED);
SAME(BAD_SIGNATURE);
SAME(UNKNOWN_KEY);
SAME(EXPIRED);
SAME(TOO_EARLY);
SAME(CONFLICT);
SAME(STALE);
SAME(WRONG_PROGRAM);
SAME(WRONG_TYPE);
SAME(WRONG_ROLE);
SAME(TOPIC_DENIED);
SAME(TLP_DENIED);
SAME(REVOKED);
SAME(HASH_MISMATCH);
SAME(FULL);
SAME(BUSY);
SAME(IO);
SAME(NO_MEMORY);
SAME(TIMEOUT);
SAME(UNREACHABLE);
SAME(INVALID);
SAME(PERMISSIONS);
SAME(IN_USE);
SAME(NOT_DELIVERABLE);
SAME(VERSION);
SAME(CANNOT_YET);
SAME(VOIDED);
SAME(NOBODY);
_Static_assert(sizeof(tocsin_id) == sizeof(tcn_id), "ids are copied as bytes");

int32_t tcn_error_set(tocsin_error *error, int32_t stage, tcn_err err, const tcn_fault *fault)
{
    bool told = fault != NULL && fault->text[0] != '\0';
    return tcn_error_say(error, stage, err, "%s", told ? fault->text : tcn_err_text(err));
}

int32_t tcn_error_say(tocsin_error *error, int32_t stage, tcn_err err, const char *format, ...)
{
    if (error == NULL)
        return (int32_t)err;
    char text[sizeof(error->text)];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    memset(error, 0, sizeof(*error));
    error->code = (int32_t)err;
    error->stage = stage;
    (void)snprintf(error->word, sizeof(error->word), "%s", tcn_err_word(err));
    (void)tcn_text_line(tcn_bytes_str(text), error->text, sizeof(error->text));
    return error->code;
}

const char *tocsin_error_word(int32_t code)
{
    return tcn_err_word((tcn_err)code);
}

const char *tocsin_error_text(int32_t code)
{
    return tcn_err_text((tcn_err)code);
}

void tocsin_id_text(const tocsin_id *id, char ret_text[TOCSIN_ID_TEXT_SIZE])
{
    tcn_id inner;
    memcpy(inner.b, id->bytes, sizeof(inner.b));
    tcn_id_text(&inner, ret_text);
}

int32_t tocsin_id_parse(const char *text, tocsin_id *ret_id)
{
    tcn_id inner;
    tcn_err err = tcn_id_parse(text, &inner);
    if (err == TCN_OK)
        memcpy(ret_id->bytes, inner.b, sizeof(inner.b));
    return (int32_t)err;
}

size_t tocsin_text_line(const char *text, char *ret_text, size_t size)
{
    return tcn_text_line(tcn_bytes_str(text), ret_text, size);
}

void tocsin_free(void *memory)
{
    free(memory);
}

static struct timespec read_clock(clockid_t id)
{
    struct timespec at = {0};
    (void)clock_gettime(id, &at);
    return at;
}

tcn_wall tcn_now_wall(void)
{
    struct timespec at = read_clock(CLOCK_REALTIME);
    return (tcn_wall){(int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000};
}

tcn_mono tcn_now_mono(void)
{
    struct timespec at = read_clock(CLOCK_MONOTONIC);
    return (tcn_mono){(uint64_t)at.tv_sec * 1000u + (uint64_t)at.tv_nsec / 1000000u};
}
