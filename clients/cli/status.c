/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - tocsin status: how the agent beside is doing, or in other homes the broker. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "broker_status.h"
#include "libtocsin/file.h"
#include "libtocsin/text.h"
#include "local_items.h"

#define BROKERS_MAX TCN_MAX_BROKERS

typedef struct {
    tcn_bytes name, error;
    bool session_up, emergency_up;
    tcn_wall last_heard;
    uint64_t bulk_cursor, emergency_cursor;
} broker_status;

/* Views into the reply. */
typedef struct {
    tcn_bytes member, version, program;
    uint64_t trust_version, held, unacked, to_fetch, parked, outbox, rejected, disk_free, uptime_ms;
    uint64_t bytes_to_fetch;
    int64_t clock_offset_ms;
    tcn_wall trust_expires;
    unsigned marks, brokers;
    broker_status broker[BROKERS_MAX];
} agent_status;

static void get_broker(tcn_cbor_reader *r, broker_status *broker)
{
    uint64_t previous = UINT64_MAX;
    size_t pairs = tcn_cbor_get_map(r, 64);
    for (size_t i = 0; i < pairs && r->err == TCN_OK; i++) {
        switch (tcn_cbor_get_key(r, &previous)) {
        case 1: broker->name = tcn_cbor_get_text(r, TCN_MAX_NAME_CHARS); break;
        case 2: broker->session_up = tcn_cbor_get_bool(r); break;
        case 3: broker->emergency_up = tcn_cbor_get_bool(r); break;
        case 4: broker->last_heard.unix_ms = (int64_t)tcn_cbor_get_uint_max(r, INT64_MAX); break;
        case 5: broker->error = tcn_cbor_get_text(r, TCN_MAX_META_BYTES); break;
        case 6: broker->bulk_cursor = tcn_cbor_get_uint(r); break;
        case 7: broker->emergency_cursor = tcn_cbor_get_uint(r); break;
        default: (void)tcn_cbor_get_item(r); break;
        }
    }
}

static void get_brokers(tcn_cbor_reader *r, agent_status *status)
{
    size_t count = tcn_cbor_get_array(r, BROKERS_MAX);
    for (size_t i = 0; i < count && r->err == TCN_OK; i++)
        get_broker(r, &status->broker[i]);
    status->brokers = (unsigned)count;
}

static void get_field(tcn_cbor_reader *r, uint64_t key, agent_status *status)
{
    switch (key) {
    case 1: status->member = tcn_cbor_get_text(r, TCN_MAX_NAME_CHARS); break;
    case 2: status->version = tcn_cbor_get_text(r, TCN_MAX_META_BYTES); break;
    case 3: status->trust_version = tcn_cbor_get_uint(r); break;
    case 4: status->trust_expires.unix_ms = (int64_t)tcn_cbor_get_uint_max(r, INT64_MAX); break;
    case 5: get_brokers(r, status); break;
    case 6: status->held = tcn_cbor_get_uint(r); break;
    case 7: status->unacked = tcn_cbor_get_uint(r); break;
    case 8: status->to_fetch = tcn_cbor_get_uint(r); break;
    case 9: status->parked = tcn_cbor_get_uint(r); break;
    case 10: status->outbox = tcn_cbor_get_uint(r); break;
    case 11: status->rejected = tcn_cbor_get_uint(r); break;
    case 12: status->clock_offset_ms = tcn_cbor_get_int(r); break;
    case 13: status->marks = (unsigned)tcn_cbor_get_uint_max(r, UINT32_MAX); break;
    case 14: status->disk_free = tcn_cbor_get_uint(r); break;
    case 15: status->uptime_ms = tcn_cbor_get_uint(r); break;
    case 16: status->program = tcn_cbor_get_text(r, TCN_MAX_META_BYTES); break;
    case 17: status->bytes_to_fetch = tcn_cbor_get_uint(r); break;
    default: (void)tcn_cbor_get_item(r); break;
    }
}

static tcn_err read_status(const tcn_local_reply *reply, agent_status *ret_status, tcn_fault *fault)
{
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX;
    agent_status status = {.marks = 0};
    tcn_cbor_reader_init(&r, reply->raw);
    size_t pairs = tcn_cbor_get_map(&r, 64);
    for (size_t i = 0; i < pairs && r.err == TCN_OK; i++)
        get_field(&r, tcn_cbor_get_key(&r, &previous), &status);
    if (r.err != TCN_OK)
        return tcn_fault_set(fault, r.err, "the agent's answer: %s", tcn_err_text(r.err));
    *ret_status = status;
    return TCN_OK;
}

/* "3 d 4 h", "12 min", "5 s". */
static void span_text(uint64_t ms, char *ret_text, size_t size)
{
    uint64_t s = ms / 1000;
    if (s >= 86400)
        (void)snprintf(ret_text, size, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        (void)snprintf(ret_text, size, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        (void)snprintf(ret_text, size, "%" PRIu64 " min", s / 60);
    else
        (void)snprintf(ret_text, size, "%" PRIu64 " s", s);
}

static void print_broker(const tcn_cli *cli, const broker_status *broker)
{
    char name[128], why[512], heard[TCN_WALL_TEXT_SIZE];
    tcn_text_line(broker->name, name, sizeof(name));
    tcn_text_line(broker->error, why, sizeof(why));
    tcn_wall_local(broker->last_heard, heard);
    bool up = broker->session_up && broker->emergency_up;
    tcn_field(cli, "broker", up ? TCN_GOOD : TCN_BAD,
              "%s: session %s, emergency %s, last heard %s%s%s", name,
              broker->session_up ? "up" : "DOWN", broker->emergency_up ? "up" : "DOWN",
              broker->last_heard.unix_ms > 0 ? heard : "never", why[0] != '\0' ? "; " : "", why);
}

static void print_status(const tcn_cli *cli, const agent_status *status)
{
    char text[512], expires[TCN_WALL_TEXT_SIZE];
    unsigned at = 0;
    if (cli->json)
        return;
    tcn_text_line(status->member, text, sizeof(text));
    tcn_out_say(cli, "Agent of %s", text);
    tcn_text_line(status->program, text, sizeof(text));
    tcn_field(cli, "program", TCN_PLAIN, "%s", text);
    for (unsigned i = 0; i < status->brokers; i++)
        print_broker(cli, &status->broker[i]);
    tcn_wall_local(status->trust_expires, expires);
    bool over = status->trust_expires.unix_ms <= tcn_cli_now().unix_ms;
    tcn_field(cli, "trust", over ? TCN_BAD : TCN_PLAIN, "version %" PRIu64 ", %s %s",
              status->trust_version, over ? "EXPIRED" : "valid until", expires);
    tcn_field(cli, "alerts", TCN_PLAIN,
              "%" PRIu64 " held, %" PRIu64 " unanswered, %" PRIu64 " rejected, %" PRIu64
              " waiting for newer trust",
              status->held, status->unacked, status->rejected, status->parked);
    tcn_field(cli, "bodies", TCN_PLAIN, "%" PRIu64 " still to fetch (%" PRIu64 " bytes)",
              status->to_fetch, status->bytes_to_fetch);
    tcn_field(cli, "answers", TCN_PLAIN, "%" PRIu64 " not yet confirmed by a broker",
              status->outbox);
    tcn_field(cli, "clock", llabs(status->clock_offset_ms) > 60000 ? TCN_WARN : TCN_PLAIN,
              "%+.1f s against the broker", (double)status->clock_offset_ms / 1000.0);
    tcn_field(cli, "disk", TCN_PLAIN, "%.1f GiB free", (double)status->disk_free / 1073741824.0);
    for (const tcn_mark_text *mark; (mark = tcn_marks_next(status->marks, &at)) != NULL;)
        tcn_field(cli, "mark", TCN_WARN, "%s: %s", mark->word, mark->meaning);
    span_text(status->uptime_ms, text, sizeof(text));
    tcn_field(cli, "up for", TCN_PLAIN, "%s", text);
}

static json_t *brokers_json(const agent_status *status)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < status->brokers; i++) {
        const broker_status *broker = &status->broker[i];
        json_t *row =
            json_pack("{s:o, s:b, s:b, s:o, s:o, s:I, s:I}", "name", tcn_json_text(broker->name),
                      "session", broker->session_up, "emergency", broker->emergency_up,
                      "last_heard", tcn_json_wall(broker->last_heard), "error",
                      broker->error.len > 0 ? tcn_json_text(broker->error) : json_null(),
                      "bulk_cursor", (json_int_t)broker->bulk_cursor, "emergency_cursor",
                      (json_int_t)broker->emergency_cursor);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *status_json(const agent_status *status)
{
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I}",
        "member", tcn_json_text(status->member), "program", tcn_json_text(status->program),
        "version", tcn_json_text(status->version), "trust_version",
        (json_int_t)status->trust_version, "trust_expires", tcn_json_wall(status->trust_expires),
        "brokers", brokers_json(status), "held", (json_int_t)status->held, "unacked",
        (json_int_t)status->unacked, "bodies_to_fetch", (json_int_t)status->to_fetch,
        "bytes_to_fetch", (json_int_t)status->bytes_to_fetch, "parked", (json_int_t)status->parked,
        "outbox", (json_int_t)status->outbox, "rejected", (json_int_t)status->rejected,
        "clock_offset_ms", (json_int_t)status->clock_offset_ms, "marks",
        tcn_marks_json(status->marks), "disk_free_bytes", (json_int_t)status->disk_free,
        "uptime_ms", (json_int_t)status->uptime_ms);
}

static int ask_agent(const tcn_cli *cli)
{
    tcn_local *local;
    tcn_local_reply reply;
    agent_status status;
    tcn_fault fault = {0};
    int code = tcn_agent_connect(cli, &local);
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_err err = tcn_agent_ask(local, TCN_LOCAL_STATUS, tcn_bytes_of(NULL, 0), &reply, &fault);
    if (err == TCN_OK)
        err = read_status(&reply, &status, &fault);
    if (err == TCN_OK) {
        print_status(cli, &status);
        code = tcn_done(cli, status_json(&status));
    } else {
        code = tcn_cli_fail(cli, &fault);
    }
    tcn_local_close(&local);
    return code;
}

/* Does this home have an agent to ask? A node that is nothing else has, be it running or not. */
static bool is_agents(const tcn_cli *cli)
{
    char home[TCN_HOME_PATH_SIZE], socket[TCN_HOME_PATH_SIZE];
    struct stat st;
    tcn_member_home member;
    if (tcn_cli_home(cli, home, NULL) != TCN_OK || tcn_home_kind_of(home) != TCN_HOME_MEMBER)
        return false;
    if (tcn_path_join(home, TCN_HOME_SOCKET, socket, sizeof(socket)) == TCN_OK &&
        stat(socket, &st) == 0)
        return true;
    if (tcn_member_home_open(home, &member, NULL) != TCN_OK)
        return false; /* the network's part says what is wrong with the home */
    bool only_node = member.card.roles == TCN_ROLE_NODE;
    tcn_member_home_fini(&member);
    return only_node;
}

static int run_status(tcn_cli *cli, const tcn_args *args)
{
    if (!tcn_args_has(args, "broker") && is_agents(cli))
        return ask_agent(cli);
    return tcn_broker_status(cli, args);
}

static const tcn_option options[] = {
    {.name = "broker", .help = "the broker's state, although an agent runs here"},
    TCN_NET_OPTIONS,
    {0}};

const tcn_command tcn_command_status = {
    .name = "status",
    .group = TCN_GROUP_ANYONE,
    .summary = "how this home's agent, or else its broker, is doing",
    .usage = "[--broker]",
    .help = "Asks the agent of this home: which brokers it reaches, what it holds, what is still\n"
            "to come, and whether its trust and its clock are right. In a home without an agent\n"
            "(publisher, approver, operator, broker) it asks the broker: nodes, lanes, what is\n"
            "held, its store, its alarms.",
    .options = options,
    .example = "  tocsin -H /etc/tocsin/cert-north status",
    .run = run_status,
};
