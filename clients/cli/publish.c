/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - tocsin publish: a document to those who may have it. */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libtocsin/topic.h"
#include "progress.h"
#include "publish.h"
#include "publish_file.h"

#define DEFAULT_BULK_MS INT64_C(604800000)     /* 7 days */
#define DEFAULT_EMERGENCY_MS INT64_C(86400000) /* a day */
#define NAMES_MAX 512

/* What the command line says, gathered; what a draft points to lives here. */
typedef struct {
    tocsin_draft draft;
    tocsin_text text[TCN_MAX_LANGUAGES];
    tocsin_id reference[TCN_MAX_REFERENCES];
    const char *community[NAMES_MAX], *to[NAMES_MAX];
    char title[TCN_MAX_TITLE_BYTES + 1];
    char **lists[NAMES_MAX]; /* memory behind community and to */
    unsigned list_count;
    uint8_t *body;
} request;

static void request_fini(request *r)
{
    for (unsigned i = 0; i < r->list_count; i++)
        free(r->lists[i]);
    free(r->body);
}

/* ---- options ---- */

/* --to a,b --to c → three names */
static int take_names(const tcn_cli *cli, const tcn_args *args, const char *option, request *r,
                      const char **ret_names, uint32_t *ret_count)
{
    unsigned at = 0;
    const char *value;
    while ((value = tcn_args_next(args, option, &at)) != NULL) {
        unsigned count = 0;
        if (r->list_count >= NAMES_MAX ||
            tcn_list_split(value, &r->lists[r->list_count], &count) != TCN_OK)
            return tcn_cli_usage(cli, "--%s is a name, or names with commas between", option);
        char **list = r->lists[r->list_count++];
        for (unsigned i = 0; i < count; i++) {
            if (*ret_count >= NAMES_MAX)
                return tcn_cli_usage(cli, "--%s: too many names", option);
            ret_names[(*ret_count)++] = list[i];
        }
    }
    return TCN_EXIT_DONE;
}

static int take_time(const tcn_cli *cli, const tcn_args *args, const char *option, int64_t *ret_ms)
{
    const char *value = tcn_args_get(args, option);
    tcn_wall at;
    if (value == NULL)
        return TCN_EXIT_DONE;
    if (tcn_deadline_parse(value, tcn_cli_now(), &at) != TCN_OK)
        return tcn_cli_usage(cli,
                             "--%s is a duration like 15m or 24h, or a time with its zone like "
                             "2026-01-31T12:00:00Z, not \"%s\"",
                             option, value);
    if (at.unix_ms <= tcn_cli_now().unix_ms)
        return tcn_cli_usage(cli, "--%s %s is not in the future", option, value);
    *ret_ms = at.unix_ms;
    return TCN_EXIT_DONE;
}

static int take_times(const tcn_cli *cli, const tcn_args *args, request *r)
{
    bool emergency = r->draft.lane == TOCSIN_LANE_EMERGENCY;
    r->draft.expires = tcn_cli_now().unix_ms + (emergency ? DEFAULT_EMERGENCY_MS : DEFAULT_BULK_MS);
    int code = take_time(cli, args, "expires", &r->draft.expires);
    if (code == TCN_EXIT_DONE)
        code = take_time(cli, args, "not-before", &r->draft.not_before);
    if (code == TCN_EXIT_DONE)
        code = take_time(cli, args, "ack-by", &r->draft.ack_by);
    if (code == TCN_EXIT_DONE && r->draft.ack_by > r->draft.expires)
        code = tcn_cli_usage(cli, "--ack-by is later than --expires: answers that come too late");
    if (code == TCN_EXIT_DONE && r->draft.not_before >= r->draft.expires)
        code = tcn_cli_usage(cli, "--not-before is not before --expires: nobody would get it");
    return code;
}

static int take_words(const tcn_cli *cli, const tcn_args *args, request *r)
{
    const char *tlp = tcn_args_get(args, "tlp"), *urgency = tcn_args_get(args, "urgency"),
               *status = tcn_args_get(args, "status");
    tcn_tlp tlp_number = TCN_TLP_AMBER;
    tcn_urgency urgency_number = TCN_URGENCY_UNKNOWN;
    tcn_status status_number = TCN_STATUS_ACTUAL;
    const char *topic = tcn_args_get(args, "topic");
    if (topic == NULL || tcn_topic_check(tcn_bytes_str(topic)) != TCN_OK)
        return tcn_cli_usage(cli, "--topic is lower-case words joined by dots, like "
                                  "advisory.vendor.example");
    if (tlp != NULL && tcn_tlp_parse(tlp, &tlp_number) != TCN_OK)
        return tcn_cli_usage(cli, "--tlp is clear, green, amber, amber+strict or red, not \"%s\"",
                             tlp);
    if (urgency != NULL && tcn_urgency_parse(urgency, &urgency_number) != TCN_OK)
        return tcn_cli_usage(
            cli, "--urgency is immediate, expected, future, past or unknown, not \"%s\"", urgency);
    if (status != NULL && tcn_status_parse(status, &status_number) != TCN_OK)
        return tcn_cli_usage(cli, "--status is actual, exercise or test, not \"%s\"", status);
    r->draft.tlp = tlp_number;
    r->draft.urgency = urgency_number;
    r->draft.status = status_number;
    r->draft.lane = tcn_args_has(args, "emergency") ? TOCSIN_LANE_EMERGENCY : TOCSIN_LANE_BULK;
    r->draft.topic = topic;
    r->draft.ask = tcn_args_get(args, "ask");
    r->draft.handle = tcn_args_get(args, "handle");
    return TCN_EXIT_DONE;
}

/* Of each text: what it is at most, said before the document is read. */
static int check_lengths(const tcn_cli *cli, const request *r)
{
    if (r->draft.ask != NULL && strlen(r->draft.ask) > TCN_MAX_ASK_BYTES)
        return tcn_cli_usage(cli, "--ask is %zu bytes long; %d are the most", strlen(r->draft.ask),
                             TCN_MAX_ASK_BYTES);
    for (uint32_t i = 0; i < r->draft.text_count; i++) {
        size_t title = strlen(r->text[i].title), summary = strlen(r->text[i].summary);
        if (title == 0 || title > TCN_MAX_TITLE_BYTES)
            return tcn_cli_usage(cli, "--title is %zu bytes long; it wants 1 to %d", title,
                                 TCN_MAX_TITLE_BYTES);
        if (summary > TCN_MAX_SUMMARY_BYTES)
            return tcn_cli_usage(cli, "--summary is %zu bytes long; %d are the most", summary,
                                 TCN_MAX_SUMMARY_BYTES);
    }
    return TCN_EXIT_DONE;
}

/* The n-th --title with the n-th --lang and the n-th --summary. */
static int take_texts(const tcn_cli *cli, const tcn_args *args, const char *file, request *r)
{
    unsigned at_title = 0, at_lang = 0, at_summary = 0, count = 0;
    const char *title = tcn_args_next(args, "title", &at_title);
    tcn_publish_title(file, r->title, sizeof(r->title));
    if (title == NULL)
        title = r->title;
    for (; title != NULL; title = tcn_args_next(args, "title", &at_title)) {
        const char *lang = tcn_args_next(args, "lang", &at_lang);
        const char *summary = tcn_args_next(args, "summary", &at_summary);
        if (count == TCN_MAX_LANGUAGES)
            return tcn_cli_usage(cli, "a title in %d languages at most", TCN_MAX_LANGUAGES);
        if (lang == NULL && count > 0)
            return tcn_cli_usage(cli, "each further --title needs a --lang of its own");
        r->text[count++] =
            (tocsin_text){lang != NULL ? lang : "en", title, summary != NULL ? summary : ""};
    }
    if (tcn_args_next(args, "lang", &at_lang) != NULL ||
        tcn_args_next(args, "summary", &at_summary) != NULL)
        return tcn_cli_usage(cli, "more --lang or --summary than --title");
    r->draft.texts = r->text;
    r->draft.text_count = count;
    return check_lengths(cli, r);
}

static int take_file(const tcn_cli *cli, const tcn_args *args, const char *file, request *r)
{
    tcn_fault fault = {0};
    size_t len = 0;
    const char *type = tcn_args_get(args, "content-type");
    if (tcn_publish_read(file, &r->body, &len, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    if (len == 0 && !tcn_args_has(args, "allow-empty"))
        return tcn_cli_refuse(cli, TCN_INVALID,
                              "nothing was sent: %s is empty; an alert that has nothing but its "
                              "texts is published with --allow-empty",
                              strcmp(file, "-") == 0 ? "standard input" : file);
    r->draft.body = r->body;
    r->draft.body_size = len;
    r->draft.content_type =
        type != NULL ? type : tcn_publish_content_type(file, tcn_bytes_of(r->body, len));
    return TCN_EXIT_DONE;
}

static int take_updates(const tcn_cli *cli, const tcn_args *args, tocsin_client *client, request *r)
{
    unsigned at = 0;
    const char *name;
    while ((name = tcn_args_next(args, "update", &at)) != NULL) {
        if (r->draft.reference_count == TCN_MAX_REFERENCES)
            return tcn_cli_usage(cli, "--update: %d alerts at most", TCN_MAX_REFERENCES);
        int code = tcn_net_resolve(cli, client, name, &r->reference[r->draft.reference_count]);
        if (code != TCN_EXIT_DONE)
            return code;
        r->draft.reference_count++;
        r->draft.kind = TOCSIN_KIND_UPDATE;
    }
    r->draft.references = r->reference;
    return TCN_EXIT_DONE;
}

/* Everything that needs no broker. */
static int take_all(const tcn_cli *cli, const tcn_args *args, request *r)
{
    const char *file = args->operand[0];
    tocsin_draft_init(&r->draft);
    int code = take_words(cli, args, r);
    if (code == TCN_EXIT_DONE)
        code = take_times(cli, args, r);
    if (code == TCN_EXIT_DONE)
        code = take_texts(cli, args, file, r);
    if (code == TCN_EXIT_DONE)
        code = take_names(cli, args, "community", r, r->community, &r->draft.community_count);
    if (code == TCN_EXIT_DONE)
        code = take_names(cli, args, "to", r, r->to, &r->draft.to_count);
    r->draft.communities = r->community;
    r->draft.to = r->to;
    if (code == TCN_EXIT_DONE && r->draft.tlp == TOCSIN_TLP_RED && r->draft.to_count == 0)
        code = tcn_cli_usage(cli, "TLP:RED is for named recipients: add --to NODE for each");
    if (code == TCN_EXIT_DONE)
        code = take_file(cli, args, file, r);
    return code;
}

/* ---- sending ---- */

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
    tcn_progress *progress = arg;
    progress->total = total;
    tcn_progress_at(progress, done);
}

static void announce(const tcn_cli *cli, const tocsin_alert *alert)
{
    char id[TOCSIN_ID_TEXT_SIZE], title[TCN_MAX_TITLE_BYTES * 3 + 4];
    tocsin_id_text(&alert->id, id);
    (void)tocsin_text_line(alert->texts[0].title, title, sizeof(title));
    tcn_out_say(cli, "%s  %s", alert->handle, title);
    tcn_field(cli, "id", TCN_PLAIN, "%s", id);
    if (!cli->json)
        (void)fflush(stdout); /* before anything is sent */
}

/* Shared with cancels: sends what was prepared, and tells the answer. */
int tcn_publish_send(const tcn_cli *cli, tocsin_client *client, const tocsin_prepared *prepared)
{
    const tocsin_alert *alert = tocsin_prepared_alert(prepared);
    tocsin_answer answer;
    tocsin_error error;
    tcn_progress progress;
    announce(cli, alert);
    tcn_progress_begin(cli, &progress, alert->handle, alert->encoded_size);
    int32_t code = tocsin_submit(client, prepared, show_progress, &progress, &answer, &error);
    tcn_progress_end(&progress);
    if (code == TOCSIN_OK)
        return tcn_net_answer(cli, &answer);
    if (code == TOCSIN_E_TIMEOUT || code == TOCSIN_E_UNREACHABLE || error.sent) {
        char id[TOCSIN_ID_TEXT_SIZE];
        tocsin_id_text(&alert->id, id);
        return tcn_cli_refuse(cli, (tcn_err)code, "%s. Go on with: tocsin publish --resume %s",
                              error.text, id);
    }
    return tcn_net_fail(cli, &error);
}

static int dry_run(const tcn_cli *cli, const tocsin_alert *alert, uint64_t entitled)
{
    tcn_out_say(cli, "Would be published; nothing was sent.");
    tcn_field(cli, "topic", TCN_PLAIN, "%s", alert->topic);
    tcn_field(cli, "TLP", TCN_PLAIN, "%s", tcn_tlp_label((tcn_tlp)alert->tlp));
    tcn_field(cli, "lane", TCN_PLAIN, "%s", tcn_lane_text((tcn_lane)alert->lane));
    tcn_field(cli, "content type", TCN_PLAIN, "%s", alert->content_type);
    tcn_field(cli, "size", TCN_PLAIN, "%" PRIu64 " bytes, %" PRIu64 " on the wire",
              alert->decoded_size, alert->encoded_size + alert->envelope_size);
    if (alert->approvals_needed > alert->approvals)
        tcn_field(cli, "then waits for", TCN_WARN, "%" PRIu32 " more approval(s)",
                  alert->approvals_needed - alert->approvals);
    tcn_field(cli, "entitled", entitled > 0 ? TCN_PLAIN : TCN_WARN, "%" PRIu64 " node%s", entitled,
              entitled == 1 ? "" : "s");
    uint32_t missing =
        alert->approvals_needed > alert->approvals ? alert->approvals_needed - alert->approvals : 0;
    return tcn_done(cli,
                    json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:i}", "state", "dry-run",
                              "topic", alert->topic, "tlp", tcn_tlp_text((tcn_tlp)alert->tlp),
                              "lane", tcn_lane_text((tcn_lane)alert->lane), "content_type",
                              alert->content_type, "size", (json_int_t)alert->decoded_size,
                              "encoded_size", (json_int_t)alert->encoded_size, "entitled",
                              (json_int_t)entitled, "missing", (int)missing));
}

/* Before anything was sent. */
static int fail_unsent(const tcn_cli *cli, const tocsin_error *error)
{
    bool away = error->code == TOCSIN_E_UNREACHABLE || error->code == TOCSIN_E_TIMEOUT;
    return away ? tcn_cli_refuse(cli, (tcn_err)error->code, "nothing was sent: %s", error->text)
                : tcn_net_fail(cli, error);
}

/* Counts first: an alert that reaches nobody is most likely a mistake. An emergency goes out even
 * if the endpoint that counts does not answer. */
static int count_and_send(const tcn_cli *cli, const tcn_args *args, tocsin_client *client,
                          const tocsin_prepared *prepared)
{
    const tocsin_alert *alert = tocsin_prepared_alert(prepared);
    tocsin_error error;
    uint64_t entitled = 0;
    bool dry = tcn_args_has(args, "dry-run");
    int32_t code = tocsin_count_entitled(client, prepared, &entitled, &error);
    bool unreachable = code == TOCSIN_E_UNREACHABLE || code == TOCSIN_E_TIMEOUT;
    if (code != TOCSIN_OK && (dry || !unreachable || alert->lane != TOCSIN_LANE_EMERGENCY))
        return fail_unsent(cli, &error);
    if (code != TOCSIN_OK)
        tcn_cli_warn(cli, "sent without counting who is entitled: %s", error.text);
    if (dry)
        return dry_run(cli, alert, entitled);
    if (code == TOCSIN_OK && entitled == 0 && !tcn_args_has(args, "allow-nobody"))
        return tcn_cli_refuse(cli, TCN_NOBODY,
                              "nothing was sent: no node is entitled to topic %s at %s%s; "
                              "publish it all the same with --allow-nobody",
                              alert->topic, tcn_tlp_label((tcn_tlp)alert->tlp),
                              alert->community_count > 0 ? " in these communities" : "");
    return tcn_publish_send(cli, client, prepared);
}

static int publish(const tcn_cli *cli, const tcn_args *args, tocsin_client *client, request *r)
{
    tocsin_prepared *prepared = NULL;
    tocsin_error error;
    /* Connected first: newer grants of ours may be waiting there. */
    if (tocsin_client_connect(client, r->draft.lane, &error) != TOCSIN_OK)
        return fail_unsent(cli, &error);
    int code = take_updates(cli, args, client, r);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tocsin_prepare(client, &r->draft, &prepared, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    code = count_and_send(cli, args, client, prepared);
    tocsin_prepared_destroy(&prepared);
    return code;
}

/* ---- going on with one that was not answered ---- */

/* "last" is the newest in HOME/outgoing: ids begin with the time. */
static int find_outgoing(const tcn_cli *cli, tocsin_client *client, const char *name,
                         tocsin_id *ret_id)
{
    char folder[TCN_HOME_PATH_SIZE + 16], newest[TOCSIN_ID_TEXT_SIZE] = "";
    unsigned found = 0;
    tocsin_client_info info;
    bool last = strcmp(name, "last") == 0;
    tocsin_client_get_info(client, &info, sizeof(info));
    (void)snprintf(folder, sizeof(folder), "%s/outgoing", info.home);
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        const char *dot = strchr(e->d_name, '.');
        size_t len = dot != NULL ? (size_t)(dot - e->d_name) : 0;
        if (len != TOCSIN_ID_TEXT_SIZE - 1 || strcmp(dot, ".envelope") != 0 ||
            (!last && strncasecmp(e->d_name, name, strlen(name)) != 0))
            continue;
        found++;
        if (strncmp(e->d_name, newest, len) > 0)
            (void)snprintf(newest, sizeof(newest), "%.*s", (int)len, e->d_name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (found == 0 || (found > 1 && !last) || tocsin_id_parse(newest, ret_id) != TOCSIN_OK)
        return tcn_cli_refuse(cli, found > 1 ? TCN_CONFLICT : TCN_NOT_FOUND,
                              found > 1 ? "several ids begin with %s"
                                        : "nothing of id %s waits to be sent again: it was "
                                          "answered, or was never begun from this home",
                              name);
    return TCN_EXIT_DONE;
}

static int resume(const tcn_cli *cli, tocsin_client *client, const char *name)
{
    tocsin_prepared *prepared = NULL;
    tocsin_error error;
    tocsin_id id;
    int code = find_outgoing(cli, client, name, &id);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tocsin_prepared_open(client, &id, &prepared, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    code = tcn_publish_send(cli, client, prepared);
    tocsin_prepared_destroy(&prepared);
    return code;
}

/* ---- the command ---- */

static int run_publish(tcn_cli *cli, const tcn_args *args)
{
    const char *again = tcn_args_get(args, "resume");
    tocsin_client *client = NULL;
    if (again == NULL && args->operands == 0)
        return tcn_cli_usage(cli, "which FILE? \"-\" is standard input");
    if (again == NULL && tcn_args_get(args, "topic") == NULL)
        return tcn_cli_usage(cli, "--topic is missing: what it is about, like advisory.vendor");
    if (again == NULL && tcn_args_get(args, "tlp") == NULL)
        return tcn_cli_usage(cli, "--tlp is missing: clear, green, amber, amber+strict or red");
    if (again != NULL && args->operands > 0)
        return tcn_cli_usage(cli, "--resume sends what was signed before, and takes no FILE");
    request *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    int code = again == NULL ? take_all(cli, args, r) : TCN_EXIT_DONE;
    if (code == TCN_EXIT_DONE)
        code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = again == NULL ? publish(cli, args, client, r) : resume(cli, client, again);
    tcn_net_close(cli, &client);
    request_fini(r);
    free(r);
    return code;
}

static const tcn_option options[] = {
    {.name = "topic", .arg = "T", .help = "what it is about, like advisory.vendor.example"},
    {.name = "tlp",
     .arg = "TLP",
     .help = "who may have it: clear, green, amber, amber+strict or red",
     .words = "clear green amber amber+strict red"},
    {.name = "title",
     .arg = "S",
     .help = "one line (default: the file's name)",
     .flags = TCN_OPTION_MANY},
    {.name = "lang",
     .arg = "L",
     .help = "language of the title (default: en)",
     .flags = TCN_OPTION_MANY},
    {.name = "summary",
     .arg = "S",
     .help = "a few sentences under the title",
     .flags = TCN_OPTION_MANY},
    {.name = "ask", .arg = "S", .help = "what readers shall do"},
    {.name = "urgency",
     .arg = "U",
     .help = "when to act: immediate, expected, future, past or unknown (default)",
     .words = "immediate expected future past unknown"},
    {.name = "emergency", .help = "in the emergency lane; an actual one needs approvals"},
    {.name = "status",
     .arg = "S",
     .help = "actual, exercise or test (default: actual)",
     .words = "actual exercise test"},
    {.name = "ack-by", .arg = "TIME", .help = "answers are wanted until then: 15m, or a time"},
    {.name = "expires",
     .arg = "TIME",
     .help = "in force until then (default: 7d, emergencies 24h)"},
    {.name = "not-before", .arg = "TIME", .help = "held until then"},
    {.name = "community",
     .arg = "C",
     .help = "only members of this community",
     .flags = TCN_OPTION_MANY},
    {.name = "to",
     .arg = "NODE",
     .help = "only this node; who else gets it, nobody learns",
     .flags = TCN_OPTION_MANY},
    {.name = "update", .arg = "ID", .help = "supersedes this alert", .flags = TCN_OPTION_MANY},
    {.name = "handle", .arg = "S", .help = "its name on the phone (default: made up)"},
    {.name = "content-type", .arg = "TYPE", .help = "of FILE (default: guessed)"},
    {.name = "dry-run", .help = "check everything and count the nodes, send nothing"},
    {.name = "allow-nobody", .help = "publish even if no node is entitled now"},
    {.name = "allow-empty", .help = "publish a document of no bytes"},
    {.name = "resume", .arg = "ID", .help = "send one again that was not answered; or \"last\""},
    TCN_NET_OPTIONS,
    {0}};

const tcn_command tcn_command_publish = {
    .name = "publish",
    .group = TCN_GROUP_PUBLISHER,
    .summary = "publish a document",
    .usage = "--topic T --tlp TLP [OPTION...] FILE | --resume ID",
    .help = "Signs FILE with its metadata and hands it to the broker, which sends it to every\n"
            "node that may have it. The id is printed before anything is sent. An actual\n"
            "emergency is held until enough approvers have signed. Large files are uploaded\n"
            "in pieces; what was interrupted goes on with --resume.",
    .example = "  tocsin publish --topic advisory.vendor.example --tlp amber \\\n"
               "      --title 'Gateway: authentication bypass' --ask 'Update to 4.2.1' csaf.json\n"
               "  tocsin publish --emergency --topic emergency.flood --tlp clear \\\n"
               "      --urgency immediate --ack-by 15m --title 'Dam failure' cap.xml",
    .next = "  tocsin board last      who has it, who answered",
    .options = options,
    .max_operands = 1,
    .operand_words = "FILE",
    .run = run_publish,
};
