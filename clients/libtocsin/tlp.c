/* SPDX-License-Identifier: Apache-2.0 */
/* tlp.c - the labels of TLP 2.0 as words. */
#include "tlp.h"

#include <string.h>
#include <strings.h>

static const char *const words[] = {
    [TCN_TLP_CLEAR] = "clear", [TCN_TLP_GREEN] = "green",
    [TCN_TLP_AMBER] = "amber", [TCN_TLP_AMBER_STRICT] = "amber+strict",
    [TCN_TLP_RED] = "red",
};
#define COUNT (sizeof(words) / sizeof(words[0]))

static const char *const labels[COUNT] = {
    [TCN_TLP_CLEAR] = "TLP:CLEAR", [TCN_TLP_GREEN] = "TLP:GREEN",
    [TCN_TLP_AMBER] = "TLP:AMBER", [TCN_TLP_AMBER_STRICT] = "TLP:AMBER+STRICT",
    [TCN_TLP_RED] = "TLP:RED",
};

const char *tcn_tlp_text(tcn_tlp tlp)
{
    TCN_REQUIRE((unsigned)tlp < COUNT);
    return words[tlp];
}

const char *tcn_tlp_label(tcn_tlp tlp)
{
    TCN_REQUIRE((unsigned)tlp < COUNT);
    return labels[tlp];
}

tcn_err tcn_tlp_parse(const char *text, tcn_tlp *ret_tlp)
{
    if (strncasecmp(text, "TLP:", 4) == 0)
        text += 4;
    /* TLP 1.0's name for what 2.0 calls clear; older documents still carry it. */
    if (strcasecmp(text, "white") == 0)
        text = words[TCN_TLP_CLEAR];
    for (size_t i = 0; i < COUNT; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_tlp = (tcn_tlp)i;
            return TCN_OK;
        }
    }
    return TCN_INVALID;
}
