/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.c - publishes one file as an advisory and says how many nodes have it.
 * usage: publisher HOME TOPIC TITLE FILE
 * HOME is a publisher's home as `tocsin member add` makes it. Build:
 *   cc publisher.c $(pkg-config --cflags --libs tocsin) */
#include <stdio.h>
#include <tocsin/client.h>

static int fail(const char *what, const tocsin_error *error)
{
    fprintf(stderr, "%s: %s (%s)\n", what, error->text, error->word);
    return error->code == TOCSIN_E_TIMEOUT ? 4 : error->code == TOCSIN_E_UNREACHABLE ? 3 : 1;
}

/* Who has it now. */
static int print_board(tocsin_client *client, const tocsin_id *id)
{
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_board_item *item = NULL;
    if (tocsin_list_board(client, id, &items, &error) != TOCSIN_OK)
        return fail("board", &error);
    while (tocsin_next_board_item(items, &item, &error) == TOCSIN_OK && item != NULL)
        printf("%s %s\n", item->node, item->state >= TOCSIN_NODE_RECEIVED ? "has it" : "to come");
    tocsin_items_close(&items);
    return 0;
}

static int publish(tocsin_client *client, const tocsin_draft *draft)
{
    tocsin_prepared *prepared = NULL;
    tocsin_answer answer;
    tocsin_error error;
    char id[TOCSIN_ID_TEXT_SIZE];
    int code;
    if (tocsin_prepare(client, draft, &prepared, &error) != TOCSIN_OK)
        return fail("prepare", &error);
    /* Signed, not yet sent: with this id it can be looked for, whatever happens now. */
    tocsin_id_text(&tocsin_prepared_alert(prepared)->id, id);
    printf("id %s\n", id);
    if (tocsin_submit(client, prepared, NULL, NULL, &answer, &error) != TOCSIN_OK) {
        code = fail("submit", &error);
    } else {
        printf("%s, %s, for %llu nodes\n", answer.handle, answer.accepted ? "accepted" : "pending",
               (unsigned long long)answer.entitled);
        code = answer.accepted ? print_board(client, &answer.id) : 0;
    }
    tocsin_prepared_destroy(&prepared);
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: publisher HOME TOPIC TITLE FILE\n");
        return 2;
    }
    static char body[1 << 20];
    FILE *file = fopen(argv[4], "rb");
    if (file == NULL) {
        perror(argv[4]);
        return 1;
    }
    size_t size = fread(body, 1, sizeof(body), file);
    fclose(file);

    const tocsin_text text = {.lang = "en", .title = argv[3], .summary = ""};
    tocsin_draft draft;
    tocsin_draft_init(&draft);
    draft.topic = argv[2];
    draft.tlp = TOCSIN_TLP_GREEN;
    draft.texts = &text;
    draft.text_count = 1;
    draft.body = body;
    draft.body_size = size;

    tocsin_client *client = NULL;
    tocsin_error error;
    tocsin_client_options options;
    tocsin_client_options_init(&options);
    options.home = argv[1];
    if (tocsin_client_open(&options, &client, &error) != TOCSIN_OK)
        return fail(argv[1], &error);
    int code = publish(client, &draft);
    tocsin_client_close(&client);
    return code;
}
