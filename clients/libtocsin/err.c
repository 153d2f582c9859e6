/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - the words of the error table, faults, and the end of a process with a broken promise. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "text.h"

const char *tcn_err_word(tcn_err err)
{
    switch (err) {
#define X(name, number, word, sentence)                                                            \
    case TCN_##name: return word;
        TCN_ERR_TABLE(X)
#undef X
    }
    return "unknown-error";
}

const char *tcn_err_text(tcn_err err)
{
    switch (err) {
#define X(name, number, word, sentence)                                                            \
    case TCN_##name: return sentence;
        TCN_ERR_TABLE(X)
#undef X
    }
    return "an error that this version does not know";
}

tcn_err tcn_err_from_wire(uint64_t number)
{
    switch (number) {
#define X(name, value, word, sentence)                                                             \
    case value: return TCN_##name;
        TCN_ERR_TABLE(X)
#undef X
    default: return TCN_MALFORMED;
    }
}

/* The length of text without its last character, which a cut may have split. */
static size_t whole_characters(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
        len--;
    return len > 0 ? len - 1 : 0;
}

tcn_err tcn_fault_set(tcn_fault *fault, tcn_err err, const char *format, ...)
{
    if (fault == NULL)
        return err;
    char raw[2 * sizeof(fault->text)];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    fault->err = err;
    size_t len = wanted < 0 ? 0 : (size_t)wanted;
    if (len >= sizeof(raw))
        len = whole_characters(raw, sizeof(raw) - 1);
    tcn_text_line(tcn_bytes_of(raw, len), fault->text, sizeof(fault->text));
    return err;
}

_Noreturn void tcn_require_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: required, but false: %s\n", file, line, condition);
    (void)fflush(stderr);
    abort();
}
