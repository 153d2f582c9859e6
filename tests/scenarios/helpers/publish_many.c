/* SPDX-License-Identifier: Apache-2.0 */
/* publish_many.c - publishes small alerts one after the other and notes what was accepted.
 * usage: publish_many HOME COUNT FILE [TOPIC]
 * FILE gets a line "ID SEQ", flushed, for each accepted alert. A broker that goes away is waited
 * for: the same prepared alert is submitted again until it is accepted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/client.h"

static int submit(tocsin_client *client, tocsin_prepared *prepared, tocsin_answer *ret_answer)
{
    tocsin_error error = {0};
    for (int tries = 0; tries < 200; tries++) {
        int32_t code = tocsin_submit(client, prepared, NULL, NULL, ret_answer, &error);
        if (code == TOCSIN_OK)
            return 0;
        if (code != TOCSIN_E_TIMEOUT && code != TOCSIN_E_UNREACHABLE)
            break;
    }
    fprintf(stderr, "publish_many: %s\n", error.text);
    return 1;
}

static int publish_one(tocsin_client *client, const char *topic, unsigned i, FILE *out)
{
    char title[64], body[128], id[TOCSIN_ID_TEXT_SIZE];
    snprintf(title, sizeof title, "Alert %u", i);
    snprintf(body, sizeof body, "This is the body of alert number %u.\n", i);
    tocsin_text text = {.lang = "en", .title = title, .summary = ""};
    tocsin_draft draft;
    tocsin_draft_init(&draft);
    draft.topic = topic;
    draft.tlp = TOCSIN_TLP_GREEN;
    draft.texts = &text;
    draft.text_count = 1;
    draft.body = body;
    draft.body_size = strlen(body);
    tocsin_error error = {0};
    tocsin_prepared *prepared = NULL;
    if (tocsin_prepare(client, &draft, &prepared, &error) != TOCSIN_OK) {
        fprintf(stderr, "publish_many: %s\n", error.text);
        return 1;
    }
    tocsin_answer answer = {0};
    int failed = submit(client, prepared, &answer);
    if (!failed) {
        tocsin_id_text(&answer.id, id);
        fprintf(out, "%s %llu\n", id, (unsigned long long)answer.seq);
        fflush(out);
    }
    tocsin_prepared_destroy(&prepared);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: publish_many HOME COUNT FILE [TOPIC]\n");
        return 2;
    }
    tocsin_client_options options;
    tocsin_client_options_init(&options);
    options.home = argv[1];
    options.connect_timeout_ms = 2000;
    options.request_timeout_ms = 5000;
    tocsin_client *client = NULL;
    tocsin_error error = {0};
    FILE *out = fopen(argv[3], "w");
    if (out == NULL || tocsin_client_open(&options, &client, &error) != TOCSIN_OK) {
        fprintf(stderr, "publish_many: %s\n", out == NULL ? "cannot write the file" : error.text);
        return 1;
    }
    int failed = 0;
    unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
    for (unsigned i = 1; i <= count && !failed; i++)
        failed = publish_one(client, argc > 4 ? argv[4] : "load.many", i, out);
    tocsin_client_close(&client);
    fclose(out);
    return failed;
}
