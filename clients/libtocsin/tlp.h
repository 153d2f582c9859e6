/* SPDX-License-Identifier: Apache-2.0 */
/* tlp.h - Traffic Light Protocol 2.0 (FIRST): an ordered clearance. */
#ifndef TCN_TLP_H
#define TCN_TLP_H

#include "err.h"

typedef enum {
    TCN_TLP_CLEAR = 0,
    TCN_TLP_GREEN = 1,
    TCN_TLP_AMBER = 2,
    TCN_TLP_AMBER_STRICT = 3,
    TCN_TLP_RED = 4
} tcn_tlp;

/* "clear", "green", "amber", "amber+strict", "red". */
const char *tcn_tlp_text(tcn_tlp tlp);
/* For people, as FIRST has it written: "TLP:AMBER+STRICT". */
const char *tcn_tlp_label(tcn_tlp tlp);
/* Those words in either case, with or without "TLP:"; "white" is clear. TCN_INVALID otherwise. */
TCN_CHECKED tcn_err tcn_tlp_parse(const char *text, tcn_tlp *ret_tlp);

#endif
