/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - see metrics.h. */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

#include "nodes.h"

static void metrics_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    tcn_node *node = tcn_node_find(b, data);
    uint8_t *copy = NULL;
    if (node == NULL || tcn_bytes_copy(tail, &copy) != TCN_OK)
        return;
    free(node->metrics);
    node->metrics = copy;
    node->metrics_len = tail.len;
    node->metrics_at = b->now;
}

tcn_err tcn_metrics_take(tcn_call *call)
{
    const char *member = call->session->member;
    if (tcn_node_of(call) == NULL || call->wire->map.len > TCN_MAX_METRICS_BYTES)
        return TCN_OK;
    return tcn_effect_add(call->b, TCN_RANK_MEMORY, metrics_effect,
                          tcn_bytes_of(member, strlen(member) + 1), call->wire->map);
}
