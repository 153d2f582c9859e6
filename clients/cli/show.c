/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - tocsin show: one alert of the inbox, as a card for people or its body byte for byte. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "libtocsin/alert.h"
#include "libtocsin/cose.h"
#include "libtocsin/text.h"
#include "local_items.h"
#include "progress.h"

#define PIECE_BYTES ((uint64_t)TCN_MAX_LOCAL_FRAME_BYTES / 2)

/* {1: what} with what as text or id. */
static tcn_err ask_by_text(tcn_local *local, const char *what, tcn_local_reply *ret_reply,
                           tcn_fault *fault)
{
    uint8_t bytes[1024];
    tcn_cbor_writer w;
    tcn_bytes request;
    tcn_cbor_writer_init(&w, bytes, sizeof(bytes));
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_text(&w, what);
    if (tcn_cbor_writer_done(&w, &request) != TCN_OK)
        return tcn_fault_set(fault, TCN_NOT_FOUND, "that is no id, id prefix or handle");
    return tcn_agent_ask(local, TCN_LOCAL_SHOW, request, ret_reply, fault);
}

/* The item, and its envelope in memory of its own: views into the reply die with the next call. */
static tcn_err get_item(tcn_local *local, const char *what, tcn_inbox_item *ret_item,
                        tcn_fault *fault)
{
    tcn_local_reply reply;
    tcn_err err = ask_by_text(local, what, &reply, fault);
    if (err != TCN_OK)
        return err;
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, reply.raw);
    if (reply.items != 1)
        return tcn_fault_set(fault, TCN_MALFORMED, "the agent answered with %zu alerts",
                             reply.items);
    tcn_inbox_item_get(&r, ret_item);
    return r.err == TCN_OK
               ? TCN_OK
               : tcn_fault_set(fault, r.err, "the agent's answer: %s", tcn_err_text(r.err));
}

/* ---- the body ---- */

typedef struct {
    tcn_bytes bytes;
    uint64_t total;
} piece;

static tcn_err get_piece(tcn_local *local, const tcn_id *id, uint64_t offset, piece *ret_piece,
                         tcn_fault *fault)
{
    uint8_t bytes[64];
    tcn_cbor_writer w;
    tcn_bytes request;
    tcn_local_reply reply;
    tcn_cbor_writer_init(&w, bytes, sizeof(bytes));
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, id);
    tcn_cbor_put_uint(&w, 2);
    tcn_cbor_put_uint(&w, offset);
    tcn_cbor_put_uint(&w, 3);
    tcn_cbor_put_uint(&w, PIECE_BYTES);
    tcn_err err = tcn_cbor_writer_done(&w, &request);
    if (err == TCN_OK)
        err = tcn_agent_ask(local, TCN_LOCAL_BODY, request, &reply, fault);
    if (err != TCN_OK)
        return err;
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX;
    tcn_cbor_reader_init(&r, reply.raw);
    size_t pairs = tcn_cbor_get_map(&r, 64);
    *ret_piece = (piece){{NULL, 0}, 0};
    for (size_t i = 0; i < pairs && r.err == TCN_OK; i++) {
        switch (tcn_cbor_get_key(&r, &previous)) {
        case 1: ret_piece->bytes = tcn_cbor_get_bytes(&r, TCN_MAX_LOCAL_FRAME_BYTES); break;
        case 2: ret_piece->total = tcn_cbor_get_uint(&r); break;
        default: (void)tcn_cbor_get_item(&r); break;
        }
    }
    bool stuck = ret_piece->bytes.len == 0 && offset < ret_piece->total;
    if (r.err != TCN_OK || stuck || ret_piece->bytes.len > ret_piece->total - offset)
        return tcn_fault_set(fault, TCN_MALFORMED, "the agent's answer is not a piece of a body");
    return TCN_OK;
}

static tcn_err write_out(tcn_bytes bytes, tcn_fault *fault)
{
    if (bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len)
        return tcn_fault_set(fault, TCN_IO, "the output could not be written");
    return TCN_OK;
}

static int print_body(const tcn_cli *cli, tcn_local *local, const tcn_inbox_item *item)
{
    tcn_progress progress;
    tcn_fault fault = {0};
    tcn_id id = item->id;
    uint64_t offset = 0;
    piece next = {.total = 1};
    tcn_err err = TCN_OK;
    tcn_progress_begin(cli, &progress, "body", item->body_size);
    while (err == TCN_OK && offset < next.total) {
        err = get_piece(local, &id, offset, &next, &fault);
        if (err == TCN_OK)
            err = write_out(next.bytes, &fault);
        if (err == TCN_OK)
            offset += next.bytes.len;
        tcn_progress_at(&progress, offset);
    }
    tcn_progress_end(&progress);
    return err == TCN_OK ? tcn_finish(cli, TCN_OK) : tcn_cli_fail(cli, &fault);
}

/* ---- the card ---- */

static void print_wall(const tcn_cli *cli, const char *label, tcn_wall at)
{
    char text[TCN_WALL_TEXT_SIZE];
    if (at.unix_ms == 0)
        return;
    tcn_wall_local(at, text);
    tcn_field(cli, label, TCN_PLAIN, "%s", text);
}

static void print_text(const tcn_cli *cli, const char *label, tcn_tone tone, tcn_bytes text)
{
    char shown[3 * TCN_MAX_NOTE_BYTES + 1];
    if (text.len == 0)
        return;
    tcn_text_line(text, shown, sizeof(shown));
    tcn_field(cli, label, tone, "%s", shown);
}

static void print_marks(const tcn_cli *cli, const tcn_inbox_item *item)
{
    unsigned at = 0;
    for (const tcn_mark_text *mark; (mark = tcn_marks_next(item->marks, &at)) != NULL;)
        tcn_field(cli, "mark", TCN_WARN, "%s: %s", mark->word, mark->meaning);
}

static void print_answer(const tcn_cli *cli, const tcn_inbox_item *item)
{
    if (item->answered)
        tcn_field(cli, "our answer", TCN_GOOD, "%s, %s", tcn_answer_text(item->answer),
                  item->confirmed ? "confirmed by a broker" : "not yet confirmed by a broker");
    else
        tcn_field(cli, "our answer", item->ack_by.unix_ms > 0 ? TCN_WARN : TCN_PLAIN, "none yet%s",
                  item->ack_by.unix_ms > 0 ? ", and one is wanted" : "");
    print_wall(cli, "answer by", item->ack_by);
}

/* Each text of the alert in its language; summaries keep their lines. */
static void print_texts(const tcn_cli *cli, const tcn_alert_meta *meta)
{
    static char shown[3 * TCN_MAX_SUMMARY_BYTES + 1];
    for (unsigned i = 0; i < meta->texts; i++) {
        char lang[64];
        const tcn_alert_text *text = &meta->text[i];
        tcn_text_line(text->lang, lang, sizeof(lang));
        tcn_text_line(text->title, shown, sizeof(shown));
        tcn_out_say(cli, "\n[%s] %s", lang, shown);
        if (text->summary.len == 0)
            continue;
        tcn_text_block(text->summary, shown, sizeof(shown));
        for (char *line = shown, *end; line != NULL; line = end) {
            end = strchr(line, '\n');
            if (end != NULL)
                *end++ = '\0';
            tcn_out_say(cli, "    %s", line);
        }
    }
}

static void print_references(const tcn_cli *cli, const tcn_alert_meta *meta)
{
    const char *label = meta->kind == TCN_KIND_CANCEL ? "cancels" : "replaces";
    for (unsigned i = 0; i < meta->references; i++) {
        char text[TCN_ID_TEXT_SIZE];
        tcn_id_text(&meta->reference[i], text);
        tcn_field(cli, label, TCN_PLAIN, "%s", text);
    }
    if (meta->kind == TCN_KIND_CANCEL) {
        tcn_field(cli, "because", TCN_BOLD, "%s",
                  meta->reason == TCN_REASON_ALL_CLEAR ? "all clear: it is over"
                                                       : "retracted: it was wrong");
        print_text(cli, "reason", TCN_PLAIN, meta->reason_text);
    }
}

static void print_card(const tcn_cli *cli, const tcn_inbox_item *item, const tcn_alert_meta *meta)
{
    char title[3 * TCN_MAX_TITLE_BYTES + 1], id[TCN_ID_TEXT_SIZE];
    bool emergency = item->lane == TCN_LANE_EMERGENCY, real = item->status == TCN_STATUS_ACTUAL;
    bool in_force = item->state == TCN_INBOX_IN_FORCE;
    if (cli->json)
        return;
    tcn_text_line(item->title, title, sizeof(title));
    tcn_id_text(&item->id, id);
    tcn_out_say(cli, "%s%s%s%s", emergency ? "EMERGENCY: " : "",
                real ? "" : tcn_status_text(item->status), real ? "" : ": ", title);
    print_text(cli, "handle", TCN_BOLD, item->handle);
    tcn_field(cli, "id", TCN_PLAIN, "%s", id);
    tcn_field(cli, "TLP", TCN_BOLD, "%s", tcn_tlp_label(item->tlp));
    tcn_field(cli, "status", real ? TCN_PLAIN : TCN_WARN, "%s%s", tcn_status_text(item->status),
              real ? "" : " (nothing has happened)");
    tcn_field(cli, "state", in_force ? TCN_PLAIN : TCN_WARN, "%s",
              tcn_inbox_state_text(item->state));
    print_marks(cli, item);
    print_text(cli, "from", TCN_PLAIN, item->publisher);
    print_text(cli, "topic", TCN_PLAIN, item->topic);
    tcn_field(cli, "kind", TCN_PLAIN, "%s, urgency %s", tcn_kind_text(item->kind),
              tcn_urgency_text(item->urgency));
    print_references(cli, meta);
    print_text(cli, "asked of you", TCN_BOLD, item->ask);
    print_wall(cli, "created", item->created);
    print_wall(cli, "received", item->received);
    print_wall(cli, "not before", meta->not_before);
    print_wall(cli, "valid until", item->expires);
    print_answer(cli, item);
    char type[160];
    tcn_text_line(item->content_type, type, sizeof(type));
    tcn_field(cli, "body", TCN_PLAIN, "%" PRIu64 " bytes of %s: tocsin show %s --body",
              item->body_size, type, id);
    print_texts(cli, meta);
}

static json_t *texts_json(const tcn_alert_meta *meta)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < meta->texts; i++) {
        const tcn_alert_text *text = &meta->text[i];
        json_t *row =
            json_pack("{s:o, s:o, s:o}", "lang", tcn_json_text(text->lang), "title",
                      tcn_json_text(text->title), "summary", tcn_json_text(text->summary));
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *references_json(const tcn_alert_meta *meta)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < meta->references; i++)
        if (json_array_append_new(list, tcn_json_id(&meta->reference[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *card_json(const tcn_inbox_item *item, const tcn_alert_meta *meta)
{
    bool cancel = meta->kind == TCN_KIND_CANCEL;
    json_t *object = tcn_inbox_item_json(item);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "texts", texts_json(meta), "references", references_json(meta),
        "reason",
        !cancel ? json_null()
                : json_string(meta->reason == TCN_REASON_ALL_CLEAR ? "all-clear" : "retract"),
        "reason_text", meta->reason_text.len > 0 ? tcn_json_text(meta->reason_text) : json_null(),
        "not_before", tcn_json_wall(meta->not_before));
    bool whole = object != NULL && more != NULL && json_object_update(object, more) == 0;
    json_decref(more);
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}

/* The agent verified the envelope before it stored it; here it is only read. */
static int print_item(const tcn_cli *cli, const tcn_inbox_item *item)
{
    static tcn_alert alert; /* large */
    tcn_cose cose;
    tcn_fault fault = {0};
    tcn_err err = tcn_cose_decode(item->envelope, TCN_OBJECT_ALERT, &cose);
    if (err == TCN_OK)
        err = tcn_alert_decode(cose.payload, &alert, &fault);
    if (err != TCN_OK)
        return tcn_cli_refuse(cli, err, "the stored alert cannot be read: %s",
                              fault.text[0] != '\0' ? fault.text : tcn_err_text(err));
    print_card(cli, item, &alert.meta);
    return tcn_done(cli, card_json(item, &alert.meta));
}

static int run_show(tcn_cli *cli, const tcn_args *args)
{
    tcn_local *local;
    tcn_inbox_item item;
    tcn_fault fault = {0};
    int code = tcn_agent_connect(cli, &local);
    if (code != TCN_EXIT_DONE)
        return code;
    if (get_item(local, args->operand[0], &item, &fault) != TCN_OK)
        code = tcn_cli_fail(cli, &fault);
    else if (tcn_args_has(args, "body"))
        code = print_body(cli, local, &item);
    else
        code = print_item(cli, &item);
    tcn_local_close(&local);
    return code;
}

static const tcn_option options[] = {
    {.name = "body", .help = "write the body, byte for byte, to stdout"}, {0}};

const tcn_command tcn_command_show = {
    .name = "show",
    .group = TCN_GROUP_NODE,
    .summary = "read one alert, or write its body to stdout",
    .usage = "ID [--body]",
    .help = "Shows who says what to whom, until when, what is asked and how it was answered here,\n"
            "and explains its marks. With --body the document itself goes to stdout exactly as\n"
            "it was signed. ID is the id, the start of it, the handle, or last.",
    .example = "  tocsin show last\n"
               "  tocsin show MSRC-2026-014 --body > advisory.json",
    .next = "  Answer it: tocsin ack ID seen",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "last",
    .run = run_show,
};
