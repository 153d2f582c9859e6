/* SPDX-License-Identifier: Apache-2.0 */
/* out.h - what commands print: lines and tables for people, JSON for programs.
 * People get nothing from tcn_out_say, tcn_field and tables when --json is given, and programs
 * nothing from tcn_json_out when it is not: a command calls both. Colour only underlines what a
 * word already says. Text from the wire goes through tcn_text_line or _block first
 * (tcn_json_text does). */
#ifndef TCN_CLI_OUT_H
#define TCN_CLI_OUT_H

#include <jansson.h>

#include "command.h"
#include "libtocsin/when.h"

typedef enum { TCN_PLAIN, TCN_GOOD, TCN_WARN, TCN_BAD, TCN_BOLD, TCN_DIM } tcn_tone;

/* One line on stdout. */
void tcn_out_say(const tcn_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "  label        text", aligned. */
void tcn_field(const tcn_cli *cli, const char *label, tcn_tone tone, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- tables: columns as wide as their widest cell; cells are copied ---- */

typedef struct {
    const char *heading;
    bool right;    /* numbers */
    bool flexible; /* cut with "…" when a terminal is too narrow; one per table */
} tcn_column;

typedef struct tcn_table tcn_table;

/* columns lives as long as the table. Out of memory gives NULL, which every function takes. */
tcn_table *tcn_table_new(const tcn_column *columns, unsigned count);
/* The next cell, row by row. */
void tcn_table_cell(tcn_table *table, tcn_tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints (for people) and destroys. empty: said instead when there are no rows. TCN_NO_MEMORY:
 * cells were lost; nothing is printed. */
TCN_CHECKED tcn_err tcn_table_print(const tcn_cli *cli, tcn_table **table, const char *empty);

/* ---- JSON: one object a line; each call consumes the object ---- */

/* Prints if --json is given; says nothing itself. TCN_NO_MEMORY for NULL, TCN_IO when stdout cannot
 * be written. */
TCN_CHECKED tcn_err tcn_json_out(const tcn_cli *cli, json_t *object);
/* Wire text as JSON string, neutralised; null for an absent one ({NULL, 0}). */
json_t *tcn_json_text(tcn_bytes text);
/* RFC 3339 with milliseconds, UTC; null for 0. */
json_t *tcn_json_wall(tcn_wall at);
json_t *tcn_json_id(const tcn_id *id);

/* Flushes stdout at the end of a list. err: what went wrong before, or TCN_OK. Gives the exit code,
 * and says why it is not TCN_EXIT_DONE. */
int tcn_finish(const tcn_cli *cli, tcn_err err);
/* Prints if --json is given, flushes stdout, and gives the exit code: TCN_EXIT_DONE, or 1 with a
 * word on stderr when the object is NULL or the output could not be written. */
int tcn_done(const tcn_cli *cli, json_t *object);

#endif
