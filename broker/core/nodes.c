/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.c - see nodes.h. */
#include "nodes.h"

#include <stdlib.h>
#include <string.h>

#include "fanout.h"
#include "ledger.h"
#include "link.h"

tcn_node *tcn_node_find(const tcn_broker *b, const char *name)
{
    size_t low = 0, high = b->nodes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(b->node[middle]->name, name);
        if (order == 0)
            return b->node[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t tcn_nodes_connected(const tcn_broker *b)
{
    size_t count = 0;
    for (size_t i = 0; i < b->nodes; i++) {
        bool connected = false;
        for (int lane = 0; lane < TCN_LANES; lane++)
            connected |= b->node[i]->link[lane] != NULL && b->node[i]->link[lane]->session != NULL;
        count += connected;
    }
    return count;
}

tcn_link *tcn_node_link(tcn_node *node, tcn_lane lane)
{
    if (node->link[lane] == NULL) {
        node->link[lane] = calloc(1, sizeof(tcn_link));
        if (node->link[lane] != NULL) {
            node->link[lane]->node = node;
            node->link[lane]->lane = lane;
        }
    }
    return node->link[lane];
}

/* Takes the link out of its lane's list of work. */
static void unwork(tcn_broker *b, tcn_link *link)
{
    tcn_lane_state *lane = &b->lane[link->lane];
    tcn_link *before = NULL;
    if (!link->waiting)
        return;
    for (tcn_link *at = lane->work; at != NULL; before = at, at = at->next_work) {
        if (at != link)
            continue;
        if (before != NULL)
            before->next_work = at->next_work;
        else
            lane->work = at->next_work;
        if (lane->last_work == at)
            lane->last_work = before;
        return;
    }
}

void tcn_node_free(tcn_broker *b, tcn_node *node)
{
    if (node == NULL)
        return;
    for (int i = 0; i < TCN_LANES; i++) {
        tcn_link *link = node->link[i];
        if (link == NULL)
            continue;
        tcn_link_close(b, link);
        unwork(b, link);
        tcn_ledger_unlist(b, link);
        free(link);
    }
    tcn_node_set_class(b, node, NULL);
    free(node->metrics);
    free(node);
}

/* ---- classes ---- */

tcn_class *tcn_class_of(tcn_broker *b, const tcn_terms *terms)
{
    uint8_t encoded[TCN_TERMS_BYTES];
    size_t len = 0;
    tcn_terms_encode(terms, encoded, &len);
    uint64_t hash = tcn_table_hash(b->seed, tcn_bytes_of(encoded, len));
    tcn_class **bucket = &b->class_bucket[hash % TCN_CLASS_BUCKETS];
    for (tcn_class *class = *bucket; class != NULL; class = class->next)
        if (class->hash == hash && class->encoded_len == len &&
            memcmp(class->encoded, encoded, len) == 0)
            return class;

    tcn_class *class = calloc(1, sizeof(*class) + len);
    if (class == NULL)
        return NULL;
    class->hash = hash;
    class->encoded = (uint8_t *)(class + 1);
    class->encoded_len = len;
    memcpy(class->encoded, encoded, len);
    if (tcn_terms_decode(tcn_bytes_of(class->encoded, len), &class->terms) != TCN_OK) {
        free(class); /* cannot be: it was just encoded */
        return NULL;
    }
    class->next = *bucket;
    *bucket = class;
    b->classes_loose = true; /* until a node points to it */
    return class;
}

void tcn_node_set_class(tcn_broker *b, tcn_node *node, tcn_class *class)
{
    if (class == node->class)
        return;
    if (node->class != NULL)
        node->class->nodes--;
    b->classes_loose = true;
    if (class != NULL)
        class->nodes++;
    node->class = class;
    b->revision++;
}

void tcn_classes_sweep(tcn_broker *b)
{
    if (!b->classes_loose)
        return;
    b->classes_loose = false;
    for (size_t i = 0; i < TCN_CLASS_BUCKETS; i++) {
        tcn_class **at = &b->class_bucket[i];
        while (*at != NULL) {
            tcn_class *class = *at;
            if (class->nodes > 0) {
                at = &class->next;
                continue;
            }
            *at = class->next;
            tcn_fanout_forget_class(b, class);
            free(class);
        }
    }
}
