/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.c - groups of four digits, and back. */
#include "fingerprint.h"

#include <ctype.h>
#include <string.h>

void tcn_fingerprint(const tcn_id *kid, char ret_text[static TCN_FINGERPRINT_SIZE])
{
    char hex[2 * sizeof(kid->b) + 1];
    size_t at = 0;
    tcn_hex(kid->b, sizeof(kid->b), hex);
    for (size_t i = 0; hex[i] != '\0'; i++) {
        if (i > 0 && i % 4 == 0)
            ret_text[at++] = ' ';
        ret_text[at++] = hex[i];
    }
    ret_text[at] = '\0';
}

bool tcn_fingerprint_is(const tcn_id *kid, const char *typed)
{
    char hex[2 * sizeof(kid->b) + 1], wanted[2 * sizeof(kid->b) + 1];
    size_t len = 0;
    tcn_hex(kid->b, sizeof(kid->b), wanted);
    for (; *typed != '\0'; typed++) {
        if (strchr(" :-\t", *typed) != NULL)
            continue;
        if (len + 1 >= sizeof(hex))
            return false;
        hex[len++] = (char)tolower((unsigned char)*typed);
    }
    hex[len] = '\0';
    return strcmp(hex, wanted) == 0;
}
