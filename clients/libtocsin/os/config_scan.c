/* SPDX-License-Identifier: Apache-2.0 */
/* config_scan.c - see config_scan.h. */
#include "config_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH 4
#define NAMES 512

typedef struct {
    const char *name;
    size_t len;
    unsigned scope;
} assigned;

typedef struct {
    char *at;
    int line;
    const char *word; /* the last one outside of quotes */
    size_t word_len;
    char before; /* the last character that is not white */
    unsigned depth, scopes;
    struct {
        unsigned scope; /* of names; a list has that of what is around it */
        int line;
    } open[DEPTH + 1];
    assigned names[NAMES];
    size_t name_count;
    tcn_config_trouble *trouble;
} scanner;

static bool complain(scanner *s, int line, const char *what)
{
    s->trouble->line = line;
    s->trouble->what = what;
    return false;
}

static bool complain_of(scanner *s, const char *what, const char *name, size_t len)
{
    (void)snprintf(s->trouble->name, sizeof s->trouble->name, "%.*s", (int)len, name);
    return complain(s, s->line, what);
}

static void blank(char *from, const char *until)
{
    for (; from < until; from++) {
        *from = *from == '\n' ? '\n' : ' ';
    }
}

static bool skip_line_comment(scanner *s)
{
    char *from = s->at;
    s->at += strcspn(s->at, "\n");
    blank(from, s->at);
    return true;
}

static bool skip_block_comment(scanner *s)
{
    char *from = s->at, *end = strstr(s->at + 2, "*/");
    if (!end) {
        return complain(s, s->line, "the comment does not end: add */");
    }
    s->at = end + 2;
    for (const char *c = from; c < s->at; c++) {
        s->line += *c == '\n';
    }
    blank(from, s->at);
    return true;
}

static bool skip_quoted(scanner *s)
{
    char quote = *s->at++;
    for (; *s->at != quote; s->at++) {
        if (*s->at == '\\' && s->at[1] != '\0' && s->at[1] != '\n') {
            s->at++;
        } else if (*s->at == '\0' || *s->at == '\n') {
            return complain(s, s->line, "the quoted text does not end on its line: add the quote");
        } else if (quote == '"' && s->at[0] == '$' && s->at[1] == '{') {
            return complain(s, s->line,
                            "the environment is not looked at: write the value, or use '…'");
        }
    }
    s->at++;
    s->before = quote;
    return true;
}

/* What libconfuse takes in a name or in a value without quotes, and nobody misreads. */
static bool is_plain(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("_-.:/@%", c));
}

static bool skip_word(scanner *s)
{
    s->word = s->at;
    while (is_plain(*s->at) && strncmp(s->at, "//", 2) != 0) {
        s->at++;
    }
    s->word_len = (size_t)(s->at - s->word);
    s->before = 'w';
    if (*s->at == '/' || *s->at == '#') { /* http://…: else the rest would be a comment */
        return complain(s, s->line, "a comment begins within the value: put the value in quotes");
    }
    return true;
}

static bool note_name(scanner *s)
{
    unsigned scope = s->open[s->depth].scope;
    if (s->before != 'w') {
        return complain(s, s->line, "there is no name before =: write NAME = VALUE");
    }
    for (size_t i = 0; i < s->name_count; i++) {
        const assigned *a = &s->names[i];
        if (a->scope == scope && a->len == s->word_len &&
            memcmp(a->name, s->word, s->word_len) == 0) {
            return complain_of(s, "%s is set twice: leave one of them", s->word, s->word_len);
        }
    }
    if (s->name_count == NAMES) {
        return complain(s, s->line, "there are too many lines: leave out what is not needed");
    }
    s->names[s->name_count++] = (assigned){s->word, s->word_len, scope};
    return true;
}

static bool open_brace(scanner *s)
{
    if (s->depth == DEPTH) {
        return complain(s, s->line, "there are too many { in each other: close one with }");
    }
    unsigned scope = s->before == '=' ? s->open[s->depth].scope : ++s->scopes;
    s->depth++;
    s->open[s->depth].scope = scope;
    s->open[s->depth].line = s->line;
    return true;
}

static bool scan_mark(scanner *s)
{
    char c = *s->at;
    bool is_good = true;
    switch (c) {
    case '=': is_good = note_name(s); break;
    case '{': is_good = open_brace(s); break;
    case '}':
        if (s->depth == 0) {
            return complain(s, s->line, "there is no { for this }: take it out");
        }
        s->depth--;
        break;
    case ',': break;
    default: {
        const char *shown = isgraph((unsigned char)c) ? s->at : "?";
        return complain_of(s, "the character %s is not expected: put the value in quotes", shown,
                           1);
    }
    }
    s->before = c;
    s->at++;
    return is_good;
}

static bool scan_next(scanner *s)
{
    char c = *s->at;
    if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
        s->line += c == '\n';
        s->at++;
        return true;
    }
    if (c == '#' || (c == '/' && s->at[1] == '/')) {
        return skip_line_comment(s);
    }
    if (c == '/' && s->at[1] == '*') {
        return skip_block_comment(s);
    }
    if (c == '"' || c == '\'') {
        return skip_quoted(s);
    }
    return is_plain(c) ? skip_word(s) : scan_mark(s);
}

bool tcn_config_scan(char *text, tcn_config_trouble *ret)
{
    scanner s = {.at = text, .line = 1, .trouble = ret};
    while (*s.at != '\0') {
        if (!scan_next(&s)) {
            return false;
        }
    }
    if (s.depth > 0) {
        return complain(&s, s.open[s.depth].line, "this { has no end: add }");
    }
    return true;
}
