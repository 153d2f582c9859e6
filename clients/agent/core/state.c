/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - effects, the store as the other files see it, notes and log lines. */
#include "state.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/text.h"

#define CHECKSUM 4u

/* ---- effects ---- */

tcn_agent_effect *tcn_agent_later(tcn_agent *a, tcn_agent_effect_fn *fn, tcn_bytes bytes)
{
    tcn_agent_effect *effect = malloc(sizeof *effect + bytes.len);
    if (!effect)
        return NULL;
    *effect = (tcn_agent_effect){.fn = fn, .len = bytes.len};
    if (bytes.len > 0)
        memcpy(effect->bytes, bytes.ptr, bytes.len);
    *a->effects_end = effect;
    a->effects_end = &effect->next;
    return effect;
}

void tcn_agent_effects_run(tcn_agent *a)
{
    tcn_agent_effect *effect = a->effects;
    a->effects = NULL;
    a->effects_end = &a->effects;
    while (effect) {
        tcn_agent_effect *next = effect->next;
        effect->next = NULL;
        effect->fn(a, effect);
        if (!effect->is_kept)
            free(effect);
        effect = next;
    }
}

void tcn_agent_effects_drop(tcn_agent *a)
{
    tcn_agent_effect *effect = a->effects;
    a->effects = NULL;
    a->effects_end = &a->effects;
    while (effect) {
        tcn_agent_effect *next = effect->next;
        free(effect);
        effect = next;
    }
}

bool tcn_agent_job_add(tcn_agent *a, const tcn_agent_job *job)
{
    if (a->jobs == TCN_AGENT_JOBS)
        return false;
    a->job[a->jobs++] = *job;
    return true;
}

void tcn_agent_wake_at(tcn_agent *a, tcn_mono at)
{
    if (at.ms < a->wake.ms)
        a->wake = at;
}

void tcn_agent_wake_in(tcn_agent *a, uint64_t ms)
{
    tcn_agent_wake_at(a, (tcn_mono){a->mono.ms + ms});
}

const tcn_bundle *tcn_agent_trust(const tcn_agent *a)
{
    return a->bundle_next ? a->bundle_next : a->bundle;
}

/* ---- store ---- */

/* SipHash-2-4 (Aumasson, Bernstein) under a zero key, cut: against a disk that lies, not against
 * people. */
static void checksum(tcn_bytes value, uint8_t ret_sum[static CHECKSUM])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES];
    (void)crypto_shorthash(hash, value.ptr, value.len, key);
    memcpy(ret_sum, hash, CHECKSUM);
}

/* Takes the checksum off; false: the disk has changed it. */
static bool check(tcn_agent *a, tcn_bytes stored, tcn_bytes *ret_value)
{
    uint8_t sum[CHECKSUM];
    if (stored.len >= CHECKSUM) {
        tcn_bytes value = tcn_bytes_of(stored.ptr + CHECKSUM, stored.len - CHECKSUM);
        checksum(value, sum);
        if (memcmp(sum, stored.ptr, CHECKSUM) == 0) {
            *ret_value = value;
            return true;
        }
    }
    a->is_damaged = true;
    return false;
}

tcn_err tcn_agent_get(tcn_agent *a, const tcn_agent_key *key, tcn_bytes *ret_value)
{
    const tcn_store *s = &a->ports.store;
    tcn_bytes stored;
    tcn_err err = s->ops->get(s->self, tcn_agent_key_bytes(key), &stored);
    return err == TCN_OK && !check(a, stored, ret_value) ? TCN_NOT_FOUND : err;
}

tcn_err tcn_agent_put(tcn_agent *a, const tcn_agent_key *key, tcn_bytes value)
{
    const tcn_store *s = &a->ports.store;
    uint8_t small[256], *bytes = small;
    if (value.len > sizeof small - CHECKSUM && !(bytes = malloc(CHECKSUM + value.len)))
        return TCN_NO_MEMORY;
    checksum(value, bytes);
    if (value.len > 0)
        memcpy(bytes + CHECKSUM, value.ptr, value.len);
    tcn_err err =
        s->ops->put(s->self, tcn_agent_key_bytes(key), tcn_bytes_of(bytes, CHECKSUM + value.len));
    if (bytes != small)
        free(bytes);
    return err;
}

tcn_err tcn_agent_del(tcn_agent *a, const tcn_agent_key *key)
{
    const tcn_store *s = &a->ports.store;
    return s->ops->del(s->self, tcn_agent_key_bytes(key));
}

static tcn_err seek(tcn_agent *a, const tcn_agent_key *prefix, const tcn_agent_key *from,
                    tcn_agent_key *ret_key, tcn_bytes *ret_value, bool backward)
{
    const tcn_store *s = &a->ports.store;
    tcn_bytes key, value;
    tcn_err err = s->ops->seek(s->self, tcn_agent_key_bytes(prefix), tcn_agent_key_bytes(from),
                               backward, &key, &value);
    if (err != TCN_OK)
        return err;
    if (key.len > sizeof ret_key->b) /* none of ours */
        return TCN_NOT_FOUND;
    memcpy(ret_key->b, key.ptr, key.len);
    ret_key->len = key.len;
    if (!check(a, value, ret_value))
        *ret_value = tcn_bytes_of(NULL, 0);
    return TCN_OK;
}

tcn_err tcn_agent_first(tcn_agent *a, const tcn_agent_key *prefix, const tcn_agent_key *after,
                        tcn_agent_key *ret_key, tcn_bytes *ret_value)
{
    tcn_agent_key from = *prefix;
    if (after) {
        from = *after;
        if (from.len < sizeof from.b)
            from.b[from.len++] = 0;
    }
    return seek(a, prefix, &from, ret_key, ret_value, false);
}

tcn_err tcn_agent_last(tcn_agent *a, const tcn_agent_key *prefix, const tcn_agent_key *from,
                       tcn_agent_key *ret_key, tcn_bytes *ret_value)
{
    tcn_agent_key end = *prefix;
    memset(end.b + end.len, 0xff, sizeof end.b - end.len);
    end.len = sizeof end.b;
    return seek(a, prefix, from ? from : &end, ret_key, ret_value, true);
}

tcn_err tcn_agent_begin_read(tcn_agent *a)
{
    const tcn_store *s = &a->ports.store;
    return s->ops->begin(s->self, TCN_TXN_READ);
}

void tcn_agent_end_read(tcn_agent *a)
{
    const tcn_store *s = &a->ports.store;
    s->ops->abort(s->self);
}

/* ---- words for people ---- */

__attribute__((format(printf, 3, 0))) static void format_line(char *ret_text, size_t size,
                                                              const char *format, va_list args)
{
    char raw[512];
    int len = vsnprintf(raw, sizeof raw, format, args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof raw)
        len = (int)sizeof raw - 1;
    (void)tcn_text_line(tcn_bytes_of(raw, (size_t)len), ret_text, size);
}

void tcn_agent_note(char ret_text[static TCN_AGENT_TEXT], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_line(ret_text, TCN_AGENT_TEXT, format, args);
    va_end(args);
}

static void write_line(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_log_event_write(&a->ports.log, tcn_agent_event_of((tcn_agent_event)effect->number),
                        (const char *)effect->bytes);
}

void tcn_agent_log(tcn_agent *a, tcn_agent_event event, const char *format, ...)
{
    char line[384];
    va_list args;
    va_start(args, format);
    format_line(line, sizeof line, format, args);
    va_end(args);
    tcn_agent_effect *effect = tcn_agent_later(a, write_line, tcn_bytes_of(line, strlen(line) + 1));
    if (effect) /* else a line is lost, nothing more */
        effect->number = (uint64_t)event;
}
