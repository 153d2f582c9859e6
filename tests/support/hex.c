/* SPDX-License-Identifier: Apache-2.0 */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>

tcn_bytes hex_bytes(const char *text, uint8_t *memory, size_t size)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0';) {
        if (*at == ' ') {
            at++;
            continue;
        }
        const char pair[3] = {at[0], at[1], '\0'};
        if (len == size || tcn_unhex(pair, memory + len, 1) != TCN_OK) {
            (void)fprintf(stderr, "not hex, or longer than %zu bytes: %s\n", size, text);
            abort();
        }
        len++;
        at += 2;
    }
    return tcn_bytes_of(memory, len);
}
