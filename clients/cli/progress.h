/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - a bar on stderr for transfers: only on a terminal, only after a second, and gone
 * when it ends. Never with --json. */
#ifndef TCN_CLI_PROGRESS_H
#define TCN_CLI_PROGRESS_H

#include <stdint.h>

#include "command.h"

typedef struct {
    const char *label; /* borrowed */
    uint64_t total;    /* bytes; 0: unknown */
    int64_t begun_ms, shown_ms;
    bool wanted, shown;
} tcn_progress;

void tcn_progress_begin(const tcn_cli *cli, tcn_progress *ret_progress, const char *label,
                        uint64_t total);
/* So many bytes are done; draws at most ten times a second. */
void tcn_progress_at(tcn_progress *progress, uint64_t done);
/* Wipes the bar; also fine when none was drawn. */
void tcn_progress_end(tcn_progress *progress);

#endif
