/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - tocsin verify: what a file is, who signed it, and whether that holds; judged with the
 * authority and the trust of the home at hand. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fingerprint.h"
#include "invite.h"
#include "libtocsin/ack.h"
#include "libtocsin/file.h"
#include "libtocsin/text.h"
#include "libtocsin/trust.h"
#include "out.h"

/* What the home at hand lets us judge by. */
typedef struct {
    bool has_authority;
    tcn_sign_public authority;
    tcn_roster *roster; /* NULL in a member's home */
    tcn_bundle own;     /* a member's */
    tcn_card card;      /* a member's own */
    bool has_own;
} judge;

typedef struct {
    const tcn_cli *cli;
    const char *path;
    tcn_bytes bytes;
    judge by;
    json_t *json; /* "file" and what is found out */
} inspection;

static const tcn_bundle *bundle_of(const judge *by)
{
    return by->roster != NULL ? tcn_roster_bundle(by->roster) : by->has_own ? &by->own : NULL;
}

static void judge_fini(judge *by)
{
    tcn_roster_unref(&by->roster);
    tcn_bundle_fini(&by->own);
    tcn_card_fini(&by->card);
}

/* The trust that a member's home holds, without its keys: to verify needs no secret. */
static void read_member(judge *by, const char *home)
{
    char path[TCN_HOME_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (tcn_path_join(home, TCN_HOME_BUNDLE, path, sizeof(path)) == TCN_OK &&
        tcn_file_read(path, TCN_MAX_BUNDLE_BYTES, &bytes, &len, NULL) == TCN_OK)
        by->has_own =
            tcn_bundle_open(tcn_bytes_of(bytes, len), &by->authority, &by->own, NULL) == TCN_OK;
    free(bytes);
    bytes = NULL;
    if (tcn_path_join(home, TCN_HOME_CARD, path, sizeof(path)) == TCN_OK &&
        tcn_file_read(path, TCN_MAX_CARD_BYTES, &bytes, &len, NULL) == TCN_OK &&
        tcn_card_open(tcn_bytes_of(bytes, len), &by->authority, &by->card, NULL) != TCN_OK)
        memset(&by->card, 0, sizeof(by->card));
    free(bytes);
}

static void read_roster(judge *by, const char *home)
{
    char path[TCN_HOME_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (tcn_path_join(home, TCN_HOME_TRUST, path, sizeof(path)) == TCN_OK &&
        tcn_file_read(path, TCN_MAX_ROSTER_BYTES, &bytes, &len, NULL) == TCN_OK &&
        tcn_roster_open(tcn_bytes_of(bytes, len), &by->authority, &by->roster, NULL) != TCN_OK)
        by->roster = NULL;
    free(bytes);
}

/* The authority: --authority FILE, else the home's. Without either nothing signed can be judged. */
static tcn_err make_judge(const tcn_cli *cli, const tcn_args *args, judge *ret_by, tcn_fault *fault)
{
    char home[TCN_HOME_PATH_SIZE], path[TCN_HOME_PATH_SIZE];
    const char *file = tcn_args_get(args, "authority");
    judge by = {.has_authority = false};
    bool has_home = tcn_home_resolve(cli->home_given, home, NULL) == TCN_OK;
    if (file != NULL) {
        tcn_err err = tcn_authority_public_read(file, &by.authority, fault);
        if (err != TCN_OK)
            return err;
        by.has_authority = true;
    } else if (has_home &&
               tcn_path_join(home, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)) == TCN_OK) {
        by.has_authority = tcn_authority_public_read(path, &by.authority, NULL) == TCN_OK;
    }
    if (by.has_authority && has_home) {
        if (tcn_home_kind_of(home) == TCN_HOME_MEMBER)
            read_member(&by, home);
        else
            read_roster(&by, home);
    }
    *ret_by = by;
    return TCN_OK;
}

/* ---- what is found out goes to the person and into the JSON ---- */

static void found(inspection *it, const char *key, const char *label, const char *text)
{
    char shown[2048];
    tcn_text_line(tcn_bytes_str(text), shown, sizeof(shown));
    tcn_field(it->cli, label, TCN_PLAIN, "%s", shown);
    if (it->json != NULL && json_object_set_new(it->json, key, json_string(shown)) != 0) {
        json_decref(it->json);
        it->json = NULL;
    }
}

static void found_number(inspection *it, const char *key, const char *label, uint64_t number)
{
    tcn_field(it->cli, label, TCN_PLAIN, "%" PRIu64, number);
    if (it->json != NULL &&
        json_object_set_new(it->json, key, json_integer((json_int_t)number)) != 0) {
        json_decref(it->json);
        it->json = NULL;
    }
}

static void found_wall(inspection *it, const char *key, const char *label, tcn_wall at)
{
    char text[TCN_WALL_TEXT_SIZE];
    if (at.unix_ms == 0)
        return;
    tcn_wall_local(at, text);
    tcn_field(it->cli, label, TCN_PLAIN, "%s", text);
    if (it->json != NULL && json_object_set_new(it->json, key, tcn_json_wall(at)) != 0) {
        json_decref(it->json);
        it->json = NULL;
    }
}

static void found_kid(inspection *it, const char *key, const char *label, const tcn_id *kid)
{
    char print[TCN_FINGERPRINT_SIZE];
    tcn_fingerprint(kid, print);
    found(it, key, label, print);
}

/* The verdict ends it. why: NULL for "valid". */
static int verdict(inspection *it, tcn_err err, const char *why)
{
    const char *text = why != NULL ? why : "valid";
    json_t *object = it->json;
    it->json = NULL;
    tcn_field(it->cli, "verdict", err == TCN_OK ? TCN_GOOD : TCN_BAD, "%s%s",
              err == TCN_OK ? "" : "NOT VALID: ", text);
    if (object != NULL &&
        (json_object_set_new(object, "valid", json_boolean(err == TCN_OK)) != 0 ||
         json_object_set_new(object, "error",
                             err == TCN_OK ? json_null() : json_string(tcn_err_word(err))) != 0 ||
         json_object_set_new(object, "verdict", json_string(text)) != 0)) {
        json_decref(object);
        object = NULL;
    }
    int code = tcn_done(it->cli, object);
    return code == TCN_EXIT_DONE && err != TCN_OK ? TCN_EXIT_REFUSED : code;
}

static int verdict_fault(inspection *it, tcn_err err, const tcn_fault *fault)
{
    const char *why = fault->text[0] != '\0' ? fault->text : tcn_err_text(err);
    return verdict(it, err, err == TCN_OK ? NULL : why);
}

static int no_authority(inspection *it)
{
    return verdict(it, TCN_UNKNOWN_KEY,
                   "no authority to judge by: name a home with --home DIR, or its key with "
                   "--authority FILE");
}

/* Valid as signed, but is it over? */
static int judge_expiry(inspection *it, tcn_wall expires)
{
    if (expires.unix_ms <= tcn_cli_now().unix_ms)
        return verdict(it, TCN_EXPIRED, "the signature is right, and its validity is over");
    return verdict(it, TCN_OK, NULL);
}

/* ---- by type ---- */

static int verify_card(inspection *it)
{
    tcn_card card = {0};
    tcn_fault fault = {0};
    char roles[64];
    if (!it->by.has_authority)
        return no_authority(it);
    tcn_err err = tcn_card_open(it->bytes, &it->by.authority, &card, &fault);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    tcn_roles_text(card.roles, roles, sizeof(roles));
    found(it, "name", "member", card.name);
    found(it, "roles", "roles", roles);
    found(it, "clearance", "clearance", tcn_tlp_text(card.clearance));
    found(it, "state", "state", tcn_member_state_text(card.state));
    found_number(it, "version", "version", card.version);
    found_wall(it, "expires", "expires", card.expires);
    bool revoked = card.state != TCN_MEMBER_ACTIVE;
    tcn_wall expires = card.expires;
    tcn_card_fini(&card);
    return revoked ? verdict(it, TCN_REVOKED, "the signature is right, and the member is revoked")
                   : judge_expiry(it, expires);
}

static int verify_bundle(inspection *it)
{
    tcn_bundle bundle = {0};
    tcn_fault fault = {0};
    if (!it->by.has_authority)
        return no_authority(it);
    tcn_err err = tcn_bundle_open(it->bytes, &it->by.authority, &bundle, &fault);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    found(it, "program", "program", bundle.program_name);
    found_number(it, "version", "version", bundle.version);
    found_number(it, "issuers", "issuers", bundle.issuers);
    found_wall(it, "issued", "signed", bundle.issued);
    found_wall(it, "expires", "expires", bundle.expires);
    tcn_wall expires = bundle.expires;
    tcn_bundle_fini(&bundle);
    return judge_expiry(it, expires);
}

static int verify_trust_file(inspection *it)
{
    tcn_roster *roster = NULL;
    tcn_fault fault = {0};
    found(it, "type", "type", "trust-file");
    if (!it->by.has_authority)
        return no_authority(it);
    tcn_err err = tcn_roster_open(it->bytes, &it->by.authority, &roster, &fault);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    found(it, "program", "program", tcn_roster_bundle(roster)->program_name);
    found_number(it, "version", "version", tcn_roster_version(roster));
    found_number(it, "members", "members", tcn_roster_members(roster));
    found_wall(it, "issued", "signed", tcn_roster_issued(roster));
    found_wall(it, "expires", "expires", tcn_roster_expires(roster));
    tcn_wall expires = tcn_roster_expires(roster);
    tcn_roster_unref(&roster);
    return judge_expiry(it, expires);
}

/* An invite brings its own authority: valid in itself, and a question for its reader. */
static int verify_invite(inspection *it, const tcn_invite *invite)
{
    tcn_id kid = tcn_kid(&invite->authority);
    found(it, "type", "type", "invite");
    found(it, "name", "for", invite->card.name);
    found(it, "program", "program", invite->bundle.program_name);
    found_kid(it, "authority", "authority", &kid);
    found_number(it, "version", "version", invite->bundle.version);
    found_wall(it, "expires", "expires", invite->card.expires);
    if (it->by.has_authority &&
        memcmp(it->by.authority.b, invite->authority.b, sizeof(invite->authority.b)) != 0)
        return verdict(it, TCN_WRONG_PROGRAM, "it is of another authority than this home's");
    if (!it->by.has_authority && invite->card.expires.unix_ms > tcn_cli_now().unix_ms)
        return verdict(it, TCN_OK, "valid, if that is the fingerprint the authority told you");
    return judge_expiry(it, invite->card.expires);
}

static void found_signers(inspection *it, const tcn_cose *cose)
{
    const tcn_bundle *bundle = bundle_of(&it->by);
    json_t *list = json_array();
    for (unsigned i = 0; i < cose->signers; i++) {
        const tcn_cose_signer *signer = &cose->signer[i];
        char print[TCN_FINGERPRINT_SIZE];
        unsigned key;
        const tcn_issuer *issuer =
            bundle != NULL ? tcn_bundle_signer(bundle, &signer->kid, &key) : NULL;
        const char *name = issuer != NULL ? issuer->name : NULL,
                   *role = tcn_role_word(signer->role);
        tcn_fingerprint(&signer->kid, print);
        tcn_field(it->cli, "signed by", TCN_PLAIN, "%s as %s, key %s",
                  name != NULL ? name : "somebody unknown here", role, print);
        json_t *row = json_pack("{s:s?, s:s?, s:s}", "name", name, "role", role, "key", print);
        if (list != NULL && json_array_append_new(list, row) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    if (it->json != NULL && json_object_set_new(it->json, "signers", list) != 0) {
        json_decref(it->json);
        it->json = NULL;
    }
}

static void found_alert(inspection *it, const tcn_alert_meta *meta)
{
    char text[3 * TCN_MAX_TITLE_BYTES + 1];
    tcn_id_text(&meta->id, text);
    found(it, "id", "id", text);
    tcn_text_line(meta->handle, text, sizeof(text));
    found(it, "handle", "handle", text);
    tcn_text_line(meta->publisher, text, sizeof(text));
    found(it, "publisher", "from", text);
    tcn_text_line(tcn_alert_title(meta, ""), text, sizeof(text));
    found(it, "title", "title", text);
    tcn_text_line(meta->topic, text, sizeof(text));
    found(it, "topic", "topic", text);
    found(it, "tlp", "TLP", tcn_tlp_text(meta->tlp));
    found(it, "lane", "lane", tcn_lane_text(meta->lane));
    found(it, "status", "status", tcn_status_text(meta->status));
    found(it, "kind", "kind", tcn_kind_text(meta->kind));
    found_wall(it, "created", "created", meta->created);
    found_wall(it, "expires", "expires", meta->expires);
}

static int verify_alert(inspection *it, const tcn_cose *cose)
{
    static tcn_alert alert; /* large */
    static tcn_verified verified;
    tcn_fault fault = {0};
    tcn_err err = tcn_alert_decode(cose->payload, &alert, &fault);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    found_alert(it, &alert.meta);
    found_signers(it, cose);
    if (bundle_of(&it->by) == NULL)
        return it->by.has_authority
                   ? verdict(it, TCN_NOT_FOUND, "this home holds no trust to judge by")
                   : no_authority(it);
    tcn_trust_view view = {.bundle = bundle_of(&it->by), .now = tcn_cli_now()};
    err = tcn_trust_verify_alert(&view, it->bytes, &verified, &fault);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    if (verified.approvals < verified.approvals_needed) {
        char text[96];
        (void)snprintf(text, sizeof(text), "%u of %u approvals: it is held until they are in",
                       verified.approvals, verified.approvals_needed);
        return verdict(it, TCN_NOT_DELIVERABLE, text);
    }
    return judge_expiry(it, alert.meta.expires);
}

static int verify_ack(inspection *it)
{
    tcn_ack ack;
    tcn_fault fault = {0};
    char text[3 * TCN_MAX_NOTE_BYTES + 1], name[TCN_MAX_NAME_CHARS + 1];
    tcn_err err = tcn_ack_peek(it->bytes, &ack);
    if (err != TCN_OK)
        return verdict_fault(it, err, &fault);
    tcn_id_text(&ack.alert, text);
    found(it, "alert", "alert", text);
    (void)tcn_text_line(ack.member, name, sizeof(name));
    found(it, "name", "member", name);
    found(it, "answer", "answer", tcn_answer_text(ack.answer));
    tcn_text_line(ack.by, text, sizeof(text));
    if (ack.by.len > 0)
        found(it, "by", "by", text);
    tcn_text_line(ack.note, text, sizeof(text));
    if (ack.note.len > 0)
        found(it, "note", "note", text);
    found_wall(it, "at", "at", ack.at);
    if (!it->by.has_authority)
        return no_authority(it);
    const tcn_card *card = strcmp(it->by.card.name, name) == 0 ? &it->by.card : NULL;
    if (it->by.roster != NULL) {
        size_t index = tcn_roster_find(it->by.roster, name);
        card = index != SIZE_MAX ? tcn_roster_member(it->by.roster, index) : NULL;
    }
    if (card == NULL)
        return verdict(it, TCN_UNKNOWN_KEY,
                       "the member's card is not in this home; a program's or broker's has it");
    err = tcn_ack_open(it->bytes, card, tcn_cli_now(), &ack, &fault);
    return verdict_fault(it, err, &fault);
}

/* A roster alone, and types that this version carries but does not yet read. */
static int verify_signature_only(inspection *it, const tcn_cose *cose)
{
    found_signers(it, cose);
    if (!it->by.has_authority)
        return no_authority(it);
    tcn_id program = tcn_kid(&it->by.authority);
    for (unsigned i = 0; i < cose->signers; i++) {
        if (!tcn_id_equal(&cose->signer[i].kid, &program))
            return verdict(it, TCN_UNKNOWN_KEY, "it is signed by another than the authority");
        tcn_err err = tcn_cose_check(cose, i, &program, &it->by.authority);
        if (err != TCN_OK)
            return verdict(it, err, tcn_err_text(err));
    }
    return verdict(it, TCN_OK, "the authority's signature is right");
}

static int verify_envelope(inspection *it, tcn_object type)
{
    static tcn_cose cose;
    tcn_err err = tcn_cose_decode(it->bytes, type, &cose);
    found(it, "type", "type", tcn_object_word(type));
    if (err != TCN_OK)
        return verdict(it, err, tcn_err_text(err));
    switch (type) {
    case TCN_OBJECT_ALERT: return verify_alert(it, &cose);
    case TCN_OBJECT_CARD: return verify_card(it);
    case TCN_OBJECT_BUNDLE: return verify_bundle(it);
    case TCN_OBJECT_ACK: return verify_ack(it);
    default: return verify_signature_only(it, &cose);
    }
}

/* ---- text files ---- */

static bool begins(tcn_bytes bytes, const char *word)
{
    size_t len = strlen(word);
    return bytes.len >= len && memcmp(bytes.ptr, word, len) == 0;
}

static int verify_request(inspection *it)
{
    tcn_request request;
    tcn_fault fault = {0};
    found(it, "type", "type", "request");
    tcn_err err = tcn_request_read(it->path, &request, &fault);
    if (err == TCN_OK) {
        tcn_id kid = tcn_kid(&request.publics.sign);
        found(it, "name", "member", request.name);
        found_kid(it, "key", "signing key", &kid);
    }
    return err == TCN_OK ? verdict(it, TCN_OK, "valid: whoever made it holds the secret key")
                         : verdict_fault(it, err, &fault);
}

static int verify_authority(inspection *it)
{
    tcn_sign_public key;
    tcn_fault fault = {0};
    found(it, "type", "type", "authority-public");
    tcn_err err = tcn_authority_public_read(it->path, &key, &fault);
    if (err == TCN_OK) {
        tcn_id kid = tcn_kid(&key);
        found_kid(it, "authority", "fingerprint", &kid);
    }
    return err == TCN_OK ? verdict(it, TCN_OK, "a key; compare the fingerprint on another channel")
                         : verdict_fault(it, err, &fault);
}

static int verify_any(inspection *it)
{
    tcn_object type;
    tcn_invite invite;
    bool is_invite = false;
    tcn_fault fault = {0};
    tcn_cbor_reader r;
    if (begins(it->bytes, "tocsin-request "))
        return verify_request(it);
    if (begins(it->bytes, "tocsin-authority-public "))
        return verify_authority(it);
    if (begins(it->bytes, "tocsin-keys ") || begins(it->bytes, "tocsin-authority ")) {
        found(it, "type", "type", "secret-keys");
        return verdict(it, TCN_WRONG_TYPE, "secret keys are not for showing; keep the file to you");
    }
    if (tcn_cose_type(it->bytes, &type) == TCN_OK)
        return verify_envelope(it, type);
    tcn_err err = tcn_invite_open(it->bytes, &invite, &is_invite, &fault);
    if (is_invite) {
        int code;
        if (err == TCN_OK) {
            code = verify_invite(it, &invite);
            tcn_invite_fini(&invite);
        } else {
            found(it, "type", "type", "invite");
            code = verdict_fault(it, err, &fault);
        }
        return code;
    }
    tcn_cbor_reader_init(&r, it->bytes);
    if (tcn_cbor_get_array(&r, 3) == 3 && tcn_cbor_peek(&r) == TCN_CBOR_BYTES)
        return verify_trust_file(it);
    found(it, "type", "type", "unknown");
    return verdict(it, TCN_MALFORMED, "this is nothing that Tocsin signs");
}

static int run_verify(tcn_cli *cli, const tcn_args *args)
{
    inspection it = {.cli = cli, .path = args->operand[0]};
    uint8_t *bytes = NULL;
    size_t len = 0;
    tcn_fault fault = {0};
    if (tcn_file_read(it.path, TCN_MAX_ROSTER_BYTES, &bytes, &len, &fault) != TCN_OK ||
        make_judge(cli, args, &it.by, &fault) != TCN_OK) {
        free(bytes);
        return tcn_cli_fail(cli, &fault);
    }
    it.bytes = tcn_bytes_of(bytes, len);
    it.json = json_pack("{s:o}", "file", tcn_json_text(tcn_bytes_str(it.path)));
    tcn_out_say(cli, "%s", it.path);
    int code = verify_any(&it);
    json_decref(it.json);
    judge_fini(&it.by);
    free(bytes);
    return code;
}

static const tcn_option options[] = {{.name = "authority",
                                      .arg = "FILE",
                                      .help = "judge by this authority.pub (default: the home's)"},
                                     {0}};

const tcn_command tcn_command_verify = {
    .name = "verify",
    .group = TCN_GROUP_ANYONE,
    .summary = "say what a file is, who signed it, and whether that holds",
    .usage = "FILE [--authority FILE]",
    .help = "Takes an alert, acknowledgment, card, bundle, trust file, invite, request or public\n"
            "key, and judges it by the authority and the trust of the home at hand. Exit code 0\n"
            "only if it is valid now.",
    .example = "  tocsin -H /etc/tocsin/cert-north verify alert.cose\n"
               "  tocsin verify energy.trust --authority authority.pub",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "FILE",
    .run = run_verify,
};
