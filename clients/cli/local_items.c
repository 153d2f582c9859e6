/* SPDX-License-Identifier: Apache-2.0 */
/* local_items.c - reads the agent's items; keys of a newer agent are skipped. */
#include "local_items.h"

#include <string.h>

#include "libtocsin/trust.h"

static tcn_wall get_wall(tcn_cbor_reader *r)
{
    return (tcn_wall){(int64_t)tcn_cbor_get_uint_max(r, INT64_MAX)};
}

static void get_answer(tcn_cbor_reader *r, tcn_inbox_item *item)
{
    if (tcn_cbor_get_array(r, 2) != 2)
        tcn_cbor_fail(r, TCN_MALFORMED);
    item->answered = !tcn_cbor_take_null(r);
    if (item->answered)
        item->answer = (tcn_answer)tcn_cbor_get_uint_max(r, TCN_ANSWER_HELP);
    item->confirmed = tcn_cbor_get_bool(r);
}

static void get_text_field(tcn_cbor_reader *r, uint64_t key, tcn_inbox_item *item)
{
    tcn_bytes text = tcn_cbor_get_text(r, TCN_MAX_META_BYTES);
    switch (key) {
    case 2: item->handle = text; break;
    case 5: item->topic = text; break;
    case 8: item->title = text; break;
    case 9: item->publisher = text; break;
    case 19: item->content_type = text; break;
    case 22: item->ask = text; break;
    default: item->broker = text; break;
    }
}

static void get_field(tcn_cbor_reader *r, uint64_t key, tcn_inbox_item *item)
{
    switch (key) {
    case 1: item->id = tcn_cbor_get_id(r); break;
    case 3: item->seq = tcn_cbor_get_uint(r); break;
    case 4: item->lane = (tcn_lane)tcn_cbor_get_uint_max(r, TCN_LANE_EMERGENCY); break;
    case 6: item->tlp = (tcn_tlp)tcn_cbor_get_uint_max(r, TCN_TLP_RED); break;
    case 7: item->status = (tcn_status)tcn_cbor_get_uint_max(r, TCN_STATUS_TEST); break;
    case 10: item->created = get_wall(r); break;
    case 11: item->received = get_wall(r); break;
    case 12: item->state = (tcn_inbox_state)tcn_cbor_get_uint_max(r, TCN_INBOX_VOIDED); break;
    case 13: item->kind = (tcn_kind)tcn_cbor_get_uint_max(r, TCN_KIND_CANCEL); break;
    case 14: get_answer(r, item); break;
    case 15: item->marks = (unsigned)tcn_cbor_get_uint_max(r, UINT32_MAX); break;
    case 16: item->envelope = tcn_cbor_get_bytes(r, TCN_MAX_ENVELOPE_BYTES); break;
    case 17: item->expires = get_wall(r); break;
    case 18: item->body_size = tcn_cbor_get_uint(r); break;
    case 20: item->ack_by = get_wall(r); break;
    case 21: item->urgency = (tcn_urgency)tcn_cbor_get_uint_max(r, TCN_URGENCY_PAST); break;
    case 2:
    case 5:
    case 8:
    case 9:
    case 19:
    case 22:
    case 23: get_text_field(r, key, item); break;
    default: (void)tcn_cbor_get_item(r); break;
    }
}

void tcn_inbox_item_get(tcn_cbor_reader *r, tcn_inbox_item *ret_item)
{
    uint64_t previous = UINT64_MAX;
    size_t pairs = tcn_cbor_get_map(r, 64);
    memset(ret_item, 0, sizeof(*ret_item));
    for (size_t i = 0; i < pairs && r->err == TCN_OK; i++)
        get_field(r, tcn_cbor_get_key(r, &previous), ret_item);
}

/* In the order of their bits. */
static const struct {
    unsigned bit;
    tcn_mark_text text;
} marks_table[] = {
    {TCN_MARK_STALE_TRUST,
     {"stale-trust", "verified with trust that has expired; this node needs a newer bundle"}},
    {TCN_MARK_CLOCK_SUSPECT,
     {"clock-suspect", "this node's clock and the broker's differ by more than a day"}},
    {TCN_MARK_BODY_TO_COME, {"body-to-come", "the body is not here yet; it is being fetched"}},
    {TCN_MARK_PUBLISHER_COMPROMISED,
     {"publisher-compromised", "the publisher's keys were in other hands: do not rely on it"}},
    {TCN_MARK_EXPIRED_BY_OUR_CLOCK,
     {"expired-by-our-clock", "expired, if this node's clock is right"}},
    {TCN_MARK_ALL_CLEAR, {"all-clear", "the all-clear was given"}},
    {TCN_MARK_TOO_EARLY, {"too-early", "created in the future, if this node's clock is right"}},
};

const tcn_mark_text *tcn_marks_next(unsigned marks, unsigned *at)
{
    while (*at < sizeof(marks_table) / sizeof(marks_table[0])) {
        unsigned i = (*at)++;
        if ((marks & marks_table[i].bit) != 0)
            return &marks_table[i].text;
    }
    return NULL;
}

json_t *tcn_marks_json(unsigned marks)
{
    json_t *list = json_array();
    unsigned at = 0;
    for (const tcn_mark_text *mark; list != NULL && (mark = tcn_marks_next(marks, &at)) != NULL;)
        if (json_array_append_new(list, json_string(mark->word)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *tcn_inbox_item_json(const tcn_inbox_item *item)
{
    return json_pack(
        "{s:o, s:o, s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:b, s:o, s:o, "
        "s:o, s:I, s:o, s:s, s:o, s:o}",
        "id", tcn_json_id(&item->id), "handle", tcn_json_text(item->handle), "seq",
        (json_int_t)item->seq, "lane", tcn_lane_text(item->lane), "topic",
        tcn_json_text(item->topic), "tlp", tcn_tlp_text(item->tlp), "status",
        tcn_status_text(item->status), "title", tcn_json_text(item->title), "publisher",
        tcn_json_text(item->publisher), "created", tcn_json_wall(item->created), "received",
        tcn_json_wall(item->received), "state", tcn_inbox_state_text(item->state), "kind",
        tcn_kind_text(item->kind), "ack",
        item->answered ? json_string(tcn_answer_text(item->answer)) : json_null(), "ack_confirmed",
        item->answered && item->confirmed, "marks", tcn_marks_json(item->marks), "expires",
        tcn_json_wall(item->expires), "ack_by", tcn_json_wall(item->ack_by), "body_size",
        (json_int_t)item->body_size, "content_type", tcn_json_text(item->content_type), "urgency",
        tcn_urgency_text(item->urgency), "ask", tcn_json_text(item->ask), "broker",
        tcn_json_text(item->broker));
}

int tcn_agent_connect(const tcn_cli *cli, tcn_local **ret_local)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {0};
    if (tcn_cli_home_kind(cli, TCN_HOME_MEMBER, home, &fault) != TCN_OK ||
        tcn_local_connect(home, ret_local, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    return TCN_EXIT_DONE;
}

tcn_err tcn_agent_ask(tcn_local *local, tcn_local_op op, tcn_bytes args, tcn_local_reply *ret_reply,
                      tcn_fault *fault)
{
    tcn_err err = tcn_local_send(local, op, args, fault);
    return err == TCN_OK ? tcn_local_receive(local, TCN_LOCAL_TIMEOUT_MS, ret_reply, fault) : err;
}
