/* SPDX-License-Identifier: Apache-2.0 */
/* topic.c - topics and patterns, compared token by token. At most TOPIC_TOKENS steps each. */
#include "topic.h"

#include <string.h>

#include "limits.h"

/* Takes the token at the front of *rest, and the dot behind it; false when nothing is left. A
 * spent rest has ptr NULL, so that the empty token after a last dot still counts. */
static bool take_token(tcn_bytes *rest, tcn_bytes *ret_token)
{
    if (rest->ptr == NULL)
        return false;
    const uint8_t *dot = rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
    size_t len = dot != NULL ? (size_t)(dot - rest->ptr) : rest->len;
    *ret_token = tcn_bytes_of(rest->ptr, len);
    *rest = dot != NULL ? tcn_bytes_of(dot + 1, rest->len - len - 1) : (tcn_bytes){NULL, 0};
    return true;
}

static bool is_word(tcn_bytes token)
{
    for (size_t i = 0; i < token.len; i++) {
        uint8_t c = token.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return token.len > 0;
}

static bool is_sign(tcn_bytes token, char sign)
{
    return token.len == 1 && token.ptr[0] == (uint8_t)sign;
}

static tcn_err check(tcn_bytes text, bool is_pattern)
{
    if (text.len > TCN_MAX_TOPIC_CHARS)
        return TCN_TOO_LARGE;
    if (text.len == 0)
        return TCN_INVALID;
    tcn_bytes token;
    unsigned tokens = 0;
    while (take_token(&text, &token)) {
        bool is_last = text.ptr == NULL;
        bool sign = is_pattern && (is_sign(token, '*') || (is_last && is_sign(token, '>')));
        if (!sign && !is_word(token))
            return TCN_INVALID;
        if (++tokens > TCN_MAX_TOPIC_TOKENS)
            return TCN_TOO_LARGE;
    }
    return TCN_OK;
}

tcn_err tcn_topic_check(tcn_bytes topic)
{
    return check(topic, false);
}

tcn_err tcn_pattern_check(tcn_bytes pattern)
{
    return check(pattern, true);
}

bool tcn_pattern_matches(tcn_bytes pattern, tcn_bytes topic)
{
    /* A topic is the pattern that matches itself alone. */
    return tcn_pattern_covers(pattern, topic);
}

bool tcn_pattern_covers(tcn_bytes outer, tcn_bytes inner)
{
    tcn_bytes out, in;
    for (;;) {
        bool has_out = take_token(&outer, &out), has_in = take_token(&inner, &in);
        if (!has_out || !has_in)
            return has_out == has_in;
        if (is_sign(out, '>'))
            return true; /* whatever is left of inner is one token or more */
        if (is_sign(in, '>'))
            return false; /* inner goes on to any length, outer does not */
        if (!is_sign(out, '*') && !tcn_bytes_equal(out, in))
            return false; /* also a word against '*': other words match inner */
    }
}
