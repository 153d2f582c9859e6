/* SPDX-License-Identifier: Apache-2.0 */
/* ack.c - tocsin ack: a person's answer to an alert, handed to the agent, which signs and keeps it
 * until a broker has it. */
#include <string.h>

#include "libtocsin/text.h"
#include "local_items.h"

#define ANSWER_WORDS "seen acting done not-applicable declined help"

static int read_answer(const tcn_cli *cli, const char *word, tcn_answer *ret_answer)
{
    static const char *const words[] = {
#define X(name, number, text) text,
        TCN_ANSWER_TABLE(X)
#undef X
    };
    const char *near = tcn_closest(word, words, sizeof(words) / sizeof(words[0]));
    if (tcn_answer_parse(word, ret_answer) == TCN_OK)
        return TCN_EXIT_DONE;
    return tcn_cli_usage(cli, "there is no answer %s%s%s%s; it is one of: %s", word,
                         near != NULL ? " (did you mean " : "", near != NULL ? near : "",
                         near != NULL ? "?)" : "", ANSWER_WORDS);
}

static int check_text(const tcn_cli *cli, const char *option, const char *text, size_t max_bytes)
{
    if (text == NULL || (strlen(text) <= max_bytes && tcn_utf8_is_valid(tcn_bytes_str(text))))
        return TCN_EXIT_DONE;
    return tcn_cli_usage(cli, "--%s must be UTF-8 text of at most %zu bytes", option, max_bytes);
}

static tcn_err write_request(const tcn_args *args, tcn_answer answer, tcn_cbor_writer *w,
                             tcn_bytes *ret_request)
{
    const char *by = tcn_args_get(args, "by"), *note = tcn_args_get(args, "note");
    bool has_by = by != NULL && by[0] != '\0', has_note = note != NULL && note[0] != '\0';
    tcn_cbor_put_map(w, 2 + (uint64_t)has_by + has_note);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_text(w, args->operand[0]);
    tcn_cbor_put_uint(w, 2);
    tcn_cbor_put_uint(w, answer);
    if (has_by) {
        tcn_cbor_put_uint(w, 3);
        tcn_cbor_put_text(w, by);
    }
    if (has_note) {
        tcn_cbor_put_uint(w, 4);
        tcn_cbor_put_text(w, note);
    }
    return tcn_cbor_writer_done(w, ret_request);
}

static int tell(const tcn_cli *cli, const tcn_local_reply *reply, tcn_answer answer)
{
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX, counter = 0;
    tcn_id id = {{0}};
    tcn_bytes handle = {NULL, 0};
    char shown[128];
    tcn_cbor_reader_init(&r, reply->raw);
    size_t pairs = tcn_cbor_get_map(&r, 64);
    for (size_t i = 0; i < pairs && r.err == TCN_OK; i++) {
        switch (tcn_cbor_get_key(&r, &previous)) {
        case 1: id = tcn_cbor_get_id(&r); break;
        case 2: counter = tcn_cbor_get_uint(&r); break;
        case 3: handle = tcn_cbor_get_text(&r, TCN_MAX_META_BYTES); break;
        default: (void)tcn_cbor_get_item(&r); break;
        }
    }
    if (r.err != TCN_OK)
        return tcn_cli_refuse(cli, r.err, "the agent's answer: %s", tcn_err_text(r.err));
    tcn_text_line(handle, shown, sizeof(shown));
    tcn_out_say(cli, "%s: %s. The agent has stored it and sends it until a broker confirms.", shown,
                tcn_answer_text(answer));
    return tcn_done(cli, json_pack("{s:o, s:o, s:s, s:I}", "id", tcn_json_id(&id), "handle",
                                   tcn_json_text(handle), "answer", tcn_answer_text(answer),
                                   "counter", (json_int_t)counter));
}

static int run_ack(tcn_cli *cli, const tcn_args *args)
{
    uint8_t bytes[4096];
    tcn_cbor_writer w;
    tcn_bytes request;
    tcn_answer answer;
    tcn_local *local;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    int code = read_answer(cli, args->operand[1], &answer);
    if (code == TCN_EXIT_DONE)
        code = check_text(cli, "by", tcn_args_get(args, "by"), TCN_MAX_TITLE_BYTES);
    if (code == TCN_EXIT_DONE)
        code = check_text(cli, "note", tcn_args_get(args, "note"), TCN_MAX_NOTE_BYTES);
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_cbor_writer_init(&w, bytes, sizeof(bytes));
    if (write_request(args, answer, &w, &request) != TCN_OK)
        return tcn_cli_usage(cli, "%s is no id, id prefix or handle", args->operand[0]);
    code = tcn_agent_connect(cli, &local);
    if (code != TCN_EXIT_DONE)
        return code;
    code = tcn_agent_ask(local, TCN_LOCAL_ACK, request, &reply, &fault) == TCN_OK
               ? tell(cli, &reply, answer)
               : tcn_cli_fail(cli, &fault);
    tcn_local_close(&local);
    return code;
}

static const tcn_option options[] = {
    {.name = "by", .arg = "NAME", .help = "who answers: a person or a desk"},
    {.name = "note", .arg = "TEXT", .help = "what the publisher should know"},
    {0}};

const tcn_command tcn_command_ack = {
    .name = "ack",
    .group = TCN_GROUP_NODE,
    .summary = "answer an alert: seen, acting, done, not-applicable, declined, help",
    .usage = "ID seen|acting|done|not-applicable|declined|help [--by NAME] [--note TEXT]",
    .help = "Tells the publisher how it stands here. The newest answer counts, so answer again as\n"
            "things go on: seen, then acting, then done. ID is the id, the start of it, the\n"
            "handle, or last. It is done once the agent has it on disk; the agent sends it as\n"
            "soon as a broker can be reached.",
    .example = "  tocsin ack last acting --by 'Duty officer' --note 'gateways 1 to 3 patched'",
    .options = options,
    .min_operands = 2,
    .max_operands = 2,
    .operand_words = "last " ANSWER_WORDS,
    .run = run_ack,
};
