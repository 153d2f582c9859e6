/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - lines, tables and JSON on stdout. */
#include "out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libtocsin/text.h"

#define LABEL_COLUMNS 16
#define CELL_BYTES 1024
#define COLUMNS_MAX 16
#define ELLIPSIS_BYTES 3
#define FLEXIBLE_MIN 12 /* columns that a flexible cell keeps however narrow the terminal */

static const char *const tone_code[] = {
    [TCN_PLAIN] = "",       [TCN_GOOD] = "\033[32m", [TCN_WARN] = "\033[33m",
    [TCN_BAD] = "\033[31m", [TCN_BOLD] = "\033[1m",  [TCN_DIM] = "\033[2m",
};

static void paint(const tcn_cli *cli, tcn_tone tone, const char *text)
{
    if (cli->colour && tone != TCN_PLAIN)
        (void)printf("%s%s\033[0m", tone_code[tone], text);
    else
        (void)fputs(text, stdout);
}

static void pad(size_t columns)
{
    while (columns-- > 0)
        (void)fputc(' ', stdout);
}

void tcn_out_say(const tcn_cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->json)
        return;
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)fputc('\n', stdout);
}

void tcn_field(const tcn_cli *cli, const char *label, tcn_tone tone, const char *format, ...)
{
    char text[4096];
    va_list args;
    if (cli->json)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t width = tcn_text_width(label);
    (void)printf("  %s", label);
    pad(width < LABEL_COLUMNS ? LABEL_COLUMNS - width : 1);
    paint(cli, tone, text);
    (void)fputc('\n', stdout);
}

typedef struct {
    char *text;
    tcn_tone tone;
} cell;

struct tcn_table {
    const tcn_column *column;
    unsigned columns;
    cell *cell;
    size_t cells, room;
    bool failed;
};

tcn_table *tcn_table_new(const tcn_column *columns, unsigned count)
{
    TCN_REQUIRE(count > 0 && count <= COLUMNS_MAX);
    tcn_table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        return NULL;
    table->column = columns;
    table->columns = count;
    return table;
}

static bool grow(tcn_table *table)
{
    if (table->cells < table->room)
        return true;
    size_t room = table->room == 0 ? 64 : 2 * table->room;
    cell *bigger = reallocarray(table->cell, room, sizeof(cell));
    if (bigger == NULL)
        return false;
    table->cell = bigger;
    table->room = room;
    return true;
}

void tcn_table_cell(tcn_table *table, tcn_tone tone, const char *format, ...)
{
    char text[CELL_BYTES];
    va_list args;
    if (table == NULL || table->failed)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t len = strlen(text);
    char *copy = grow(table) ? malloc(len + ELLIPSIS_BYTES + 1) : NULL;
    if (copy == NULL) {
        table->failed = true;
        return;
    }
    memcpy(copy, text, len + 1);
    table->cell[table->cells++] = (cell){copy, tone};
}

/* Cuts a cell to so many columns, with an ellipsis, for which its memory has room. */
static void cut(char *text, size_t columns)
{
    size_t len = strlen(text);
    if (tcn_text_width(text) <= columns)
        return;
    do { /* a character back: not in the middle of one */
        len--;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
        text[len] = '\0';
    } while (len > 0 && tcn_text_width(text) + 1 > columns);
    memcpy(text + len, "…", ELLIPSIS_BYTES + 1);
}

static void measure(const tcn_table *table, size_t width[static COLUMNS_MAX])
{
    struct winsize size;
    size_t total = 0;
    for (unsigned c = 0; c < table->columns; c++) {
        width[c] = tcn_text_width(table->column[c].heading);
        for (size_t i = c; i < table->cells; i += table->columns) {
            size_t columns = tcn_text_width(table->cell[i].text);
            width[c] = columns > width[c] ? columns : width[c];
        }
        total += width[c] + (c > 0 ? 2 : 0);
    }
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return;
    for (unsigned c = 0; c < table->columns && total > size.ws_col; c++) {
        if (!table->column[c].flexible)
            continue;
        size_t over = total - size.ws_col;
        size_t least = width[c] < FLEXIBLE_MIN ? width[c] : FLEXIBLE_MIN;
        width[c] = width[c] > over + least ? width[c] - over : least;
        for (size_t i = c; i < table->cells; i += table->columns)
            cut(table->cell[i].text, width[c]);
    }
}

static void print_cell(const tcn_cli *cli, const tcn_table *table, unsigned c, size_t width,
                       const cell *what)
{
    size_t columns = tcn_text_width(what->text);
    size_t space = width > columns ? width - columns : 0;
    if (c > 0)
        pad(2);
    if (table->column[c].right)
        pad(space);
    paint(cli, what->tone, what->text);
    if (!table->column[c].right && c + 1 < table->columns)
        pad(space);
}

static void print(const tcn_cli *cli, tcn_table *table)
{
    size_t width[COLUMNS_MAX];
    measure(table, width);
    for (unsigned c = 0; c < table->columns; c++) {
        char heading[64];
        (void)snprintf(heading, sizeof(heading), "%s", table->column[c].heading);
        print_cell(cli, table, c, width[c], &(cell){heading, TCN_BOLD});
    }
    (void)fputc('\n', stdout);
    for (size_t i = 0; i < table->cells; i++) {
        unsigned c = (unsigned)(i % table->columns);
        print_cell(cli, table, c, width[c], &table->cell[i]);
        if (c + 1 == table->columns)
            (void)fputc('\n', stdout);
    }
}

tcn_err tcn_table_print(const tcn_cli *cli, tcn_table **table, const char *empty)
{
    tcn_table *t = *table;
    *table = NULL;
    bool failed = t == NULL || t->failed;
    if (!failed && !cli->json && t->cells > 0)
        print(cli, t);
    else if (!failed)
        tcn_out_say(cli, "%s", empty);
    for (size_t i = 0; t != NULL && i < t->cells; i++)
        free(t->cell[i].text);
    if (t != NULL)
        free(t->cell);
    free(t);
    return failed ? TCN_NO_MEMORY : TCN_OK;
}

/* ---- JSON ---- */

tcn_err tcn_json_out(const tcn_cli *cli, json_t *object)
{
    if (object == NULL)
        return TCN_NO_MEMORY;
    int failed = 0;
    if (cli->json) {
        failed = json_dumpf(object, stdout, 0);
        if (failed == 0 && fputc('\n', stdout) == EOF)
            failed = -1;
    }
    json_decref(object);
    return failed == 0 ? TCN_OK : TCN_IO;
}

json_t *tcn_json_text(tcn_bytes text)
{
    if (text.ptr == NULL)
        return json_null();
    size_t size = 3 * text.len + 4; /* each byte may become U+FFFD */
    char *shown = malloc(size);
    if (shown == NULL)
        return NULL;
    size_t len = tcn_text_block(text, shown, size);
    json_t *string = json_stringn(shown, len);
    free(shown);
    return string;
}

json_t *tcn_json_wall(tcn_wall at)
{
    char text[TCN_WALL_TEXT_SIZE];
    if (at.unix_ms == 0)
        return json_null();
    tcn_wall_utc(at, text);
    return json_string(text);
}

json_t *tcn_json_id(const tcn_id *id)
{
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(id, text);
    return json_string(text);
}

int tcn_finish(const tcn_cli *cli, tcn_err err)
{
    if (err == TCN_OK && (fflush(stdout) != 0 || ferror(stdout)))
        err = TCN_IO;
    if (err == TCN_OK)
        return TCN_EXIT_DONE;
    return tcn_cli_refuse(cli, err, "the result could not be printed: %s", tcn_err_text(err));
}

int tcn_done(const tcn_cli *cli, json_t *object)
{
    return tcn_finish(cli, tcn_json_out(cli, object));
}
