/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - a node in a page: receives alerts, keeps its place in a file, answers "seen".
 * usage: node HOME CURSOR-FILE [COUNT]     stops after COUNT alerts
 * HOME is a node's home as `tocsin member add` makes it. Build:
 *   cc node.c $(pkg-config --cflags --libs tocsin)
 * A real node would write the alerts where it writes the cursor, in one transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tocsin/node.h>

/* The places in both lanes: the whole memory of this node. */
typedef struct {
    tocsin_cursor lane[2];
    int known[2];
} memory;

static void load(const char *path, memory *m)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(m, sizeof(*m), 1, file) != 1)
        memset(m, 0, sizeof(*m));
    if (file != NULL)
        fclose(file);
}

static int save(const char *path, const memory *m)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    size_t written = fwrite(m, sizeof(*m), 1, file);
    return fclose(file) == 0 && written == 1 ? 0 : -1;
}

static void show(const tocsin_alert *alert)
{
    char title[512];
    tocsin_text_line(alert->texts[0].title, title, sizeof(title)); /* made safe for a terminal */
    printf("%s %s: %s\n", alert->lane == TOCSIN_LANE_EMERGENCY ? "EMERGENCY" : "alert",
           alert->handle, title);
}

/* One event; nonzero: stop. */
static int take(tocsin_node *node, const tocsin_event *event, memory *m, const char *path)
{
    tocsin_ack ack;
    tocsin_error error;
    switch (event->kind) {
    case TOCSIN_EVENT_ALERT:
        show(event->alert);
        tocsin_ack_init(event->alert, TOCSIN_ANSWER_SEEN, &ack);
        ack.by_rule = 1;
        return tocsin_node_ack(node, &ack, NULL, &error);
    case TOCSIN_EVENT_CURSOR: /* all before it is ours now: first the disk, then the receipt */
        m->lane[event->lane] = event->cursor;
        m->known[event->lane] = 1;
        if (save(path, m) != 0)
            return TOCSIN_E_IO;
        return tocsin_node_confirm(node, &event->cursor, &error);
    case TOCSIN_EVENT_DISCONNECTED:
        fprintf(stderr, "lane %u: %s\n", event->lane, event->text);
        return 0; /* it is tried again by itself */
    default: return 0;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: node HOME CURSOR-FILE [COUNT]\n");
        return 2;
    }
    long left = argc > 3 ? atol(argv[3]) : -1;
    memory m;
    load(argv[2], &m);

    tocsin_node *node = NULL;
    tocsin_error error;
    tocsin_node_options options;
    tocsin_node_options_init(&options);
    options.home = argv[1];
    options.bulk = m.known[TOCSIN_LANE_BULK] ? &m.lane[TOCSIN_LANE_BULK] : NULL;
    options.emergency = m.known[TOCSIN_LANE_EMERGENCY] ? &m.lane[TOCSIN_LANE_EMERGENCY] : NULL;
    if (tocsin_node_open(&options, &node, &error) != TOCSIN_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], error.text);
        return 1;
    }
    const tocsin_event *event = NULL;
    int code = 0;
    while (left != 0 && code == 0 && tocsin_node_next(node, -1, &event, &error) == TOCSIN_OK) {
        code = take(node, event, &m, argv[2]);
        left -= event->kind == TOCSIN_EVENT_ACK_KEPT && left > 0; /* given, kept, answered */
        fflush(stdout);
    }
    tocsin_node_close(&node);
    return code != 0;
}
