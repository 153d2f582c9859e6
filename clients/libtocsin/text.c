/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - neutralising by code point: what steers a terminal, reorders or hides text is replaced.
 * Joiners (ZWJ, ZWNJ) stay where the writing system needs them: Persian and Sinhala titles break
 * without them, and there they hide nothing. */
#include "text.h"

#include <string.h>

#include "limits.h"

#define REPLACEMENT 0xfffdu
#define ZWNJ 0x200cu
#define ZWJ 0x200du

typedef struct {
    uint32_t first, last;
} range;

/* Ascending. */
static const range hostile[] = {
    {0x0000, 0x001f},   /* C0: ESC, BEL, CR and the rest (newline and tab are handled before) */
    {0x007f, 0x009f},   /* DEL; C1: CSI and OSC in one byte */
    {0x00ad, 0x00ad},   /* soft hyphen: invisible */
    {0x034f, 0x034f},   /* combining grapheme joiner: invisible */
    {0x061c, 0x061c},   /* Arabic letter mark: bidi */
    {0x115f, 0x1160},   /* Hangul fillers: invisible */
    {0x180e, 0x180e},   /* Mongolian vowel separator: invisible */
    {0x200b, 0x200f},   /* zero width space, joiners, LRM, RLM */
    {0x2028, 0x202e},   /* line and paragraph separators; bidi embeddings and overrides */
    {0x2060, 0x206f},   /* word joiner, invisible operators, bidi isolates, deprecated controls */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0xfff0, 0xfffb},   /* specials: interlinear annotation */
    {0x1d173, 0x1d17a}, /* musical formatting: invisible */
    {0xe0000, 0xe0fff}, /* tags, further variation selectors: text in text that no one sees */
};

/* After a character of these a joiner changes a shape (Unicode UAX 31, §2.3). Ascending. */
static const range joining[] = {
    {0x0600, 0x08ff},   /* Arabic, Syriac, Thaana, NKo, Mandaic */
    {0x0900, 0x0dff},   /* Devanagari to Sinhala */
    {0x1000, 0x109f},   /* Myanmar */
    {0x1780, 0x18af},   /* Khmer, Mongolian */
    {0xfe0f, 0xfe0f},   /* emoji presentation, within an emoji sequence */
    {0x1f300, 0x1faff}, /* emoji */
};

/* Zero columns: combining marks. Ascending. */
static const range narrowest[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc},
    {0x06df, 0x06e4}, {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
    {0x0981, 0x0981}, {0x09bc, 0x09bc}, {0x09cd, 0x09cd}, {0x0dca, 0x0dca}, {0x0dd2, 0x0dd6},
    {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x0eb1, 0x0eb1}, {0x0eb4, 0x0ebc},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0x3099, 0x309a},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

/* Two columns: East Asian Wide and Fullwidth (Unicode UAX 11), and emoji. Ascending. */
static const range widest[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
    {0x26a1, 0x26a1},   {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1aff0, 0x1b2ff}, {0x1f004, 0x1f004},
    {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
    {0x1f32d, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7ff}, {0x1f90c, 0x1faff},
    {0x20000, 0x3fffd},
};

#define IN(table, c) is_in(table, sizeof(table) / sizeof((table)[0]), c)

static bool is_in(const range *table, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count && table[i].first <= c; i++)
        if (c <= table[i].last)
            return true;
    return false;
}

/* The code point at text, its bytes in *ret_len (≥ 1). What is not UTF-8 (RFC 3629) is U+FFFD,
 * once per maximal subpart (Unicode §3.9), so that the next good character is never eaten. */
static uint32_t decode(tcn_bytes text, size_t *ret_len)
{
    uint8_t lead = text.ptr[0];
    *ret_len = 1;
    if (lead < 0x80)
        return lead;
    if (lead < 0xc2 || lead > 0xf4)
        return REPLACEMENT;
    unsigned more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    uint32_t c = lead & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if (i >= text.len)
            return REPLACEMENT;
        uint8_t low = 0x80, high = 0xbf;
        if (i == 1) { /* overlong forms, surrogates, beyond U+10FFFF */
            low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
            high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        }
        if (text.ptr[i] < low || text.ptr[i] > high)
            return REPLACEMENT;
        c = c << 6 | (text.ptr[i] & 0x3fu);
        *ret_len = i + 1;
    }
    return c;
}

static size_t encode(uint32_t c, uint8_t ret_bytes[static 4])
{
    if (c < 0x80) {
        ret_bytes[0] = (uint8_t)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        ret_bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    ret_bytes[0] = (uint8_t)((0xf00u >> len) | c);
    return len;
}

static uint32_t harmless(uint32_t c, uint32_t previous)
{
    if ((c == ZWJ || c == ZWNJ) && IN(joining, previous))
        return c;
    /* U+xFFFE and U+xFFFF are not characters. */
    if (IN(hostile, c) || (c & 0xfffe) == 0xfffe)
        return REPLACEMENT;
    return c;
}

/* A line end of any convention, or a tab. CR LF counts once. */
static bool is_layout(uint32_t c)
{
    return c == '\n' || c == '\r' || c == '\t';
}

static size_t neutralise(tcn_bytes text, bool block, char *ret_text, size_t size)
{
    TCN_REQUIRE(size >= 4);
    size_t len = 0;
    uint32_t previous = 0;
    for (size_t at = 0, step; at < text.len; at += step) {
        uint32_t c = decode(tcn_bytes_of(text.ptr + at, text.len - at), &step), shown = c;
        if (is_layout(c)) {
            bool follows = block ? c == '\n' && previous == '\r' : is_layout(previous);
            previous = c;
            if (follows)
                continue;
            shown = !block ? ' ' : c == '\r' ? '\n' : c;
        } else {
            shown = harmless(c, previous);
            previous = shown;
        }
        uint8_t encoded[4];
        size_t bytes = encode(shown, encoded);
        if (bytes >= size - len)
            break;
        memcpy(ret_text + len, encoded, bytes);
        len += bytes;
    }
    ret_text[len] = '\0';
    return len;
}

size_t tcn_text_line(tcn_bytes text, char *ret_text, size_t size)
{
    return neutralise(text, false, ret_text, size);
}

size_t tcn_text_block(tcn_bytes text, char *ret_text, size_t size)
{
    return neutralise(text, true, ret_text, size);
}

size_t tcn_text_width(const char *text)
{
    size_t columns = 0;
    tcn_bytes all = tcn_bytes_str(text);
    for (size_t at = 0, step; at < all.len; at += step) {
        uint32_t c = decode(tcn_bytes_of(all.ptr + at, all.len - at), &step);
        columns += IN(narrowest, c) ? 0 : IN(widest, c) ? 2 : 1;
    }
    return columns;
}

bool tcn_name_is_valid(tcn_bytes name)
{
    if (name.len == 0 || name.len > TCN_MAX_NAME_CHARS)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool inside = i > 0 && i + 1 < name.len;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && inside)))
            return false;
    }
    return true;
}
