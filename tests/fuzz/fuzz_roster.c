/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_roster.c - any bytes as a trust file; and as a roster's payload, signed, in a trust file
 * with a good bundle and no cards, because behind a signature no fuzzer gets by itself. */
#include <stdlib.h>
#include <string.h>

#include "libtocsin/cbor.h"
#include "libtocsin/roster.h"

#define MOST_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tcn_sign_secret secret;
static tcn_sign_public authority;
static uint8_t bundle[4096];
static size_t bundle_len;

static void make_bundle(void)
{
    tcn_broker_entry broker = {.name = "b", .sessions = 1, .emergencies = 1};
    tcn_bundle b = {.program_name = "p", .version = 1, .expires = {1}, .brokers = 1};
    uint8_t *payload = NULL;
    size_t len;
    if (tcn_keys_init() != TCN_OK)
        abort();
    tcn_sign_from_seed((const uint8_t[32]){1}, &secret);
    tcn_sign_public_of(&secret, &authority);
    b.program = tcn_kid(&authority);
    b.broker = &broker;
    tcn_policy_default(&b.policy);
    strcpy(broker.session[0], "h:1");
    strcpy(broker.emergency[0], "h:2");
    if (tcn_bundle_encode(&b, &payload, &len, NULL) != TCN_OK ||
        tcn_cose_seal(TCN_OBJECT_BUNDLE, &b.program, tcn_bytes_of(payload, len), TCN_ROLE_AUTHORITY,
                      &secret, bundle, sizeof(bundle), &bundle_len) != TCN_OK)
        abort();
    free(payload);
}

static void open_file(tcn_bytes file)
{
    tcn_roster *roster = NULL;
    if (tcn_roster_open(file, &authority, &roster, NULL) != TCN_OK && roster != NULL)
        abort();
    tcn_roster_unref(&roster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t envelope[MOST_BYTES + 512], file[2 * sizeof(envelope) + sizeof(bundle)];
    size_t len;
    tcn_bytes whole;
    if (bundle_len == 0)
        make_bundle();
    open_file(tcn_bytes_of(data, size));
    tcn_id program = tcn_kid(&authority);
    if (size > MOST_BYTES ||
        tcn_cose_seal(TCN_OBJECT_ROSTER, &program, tcn_bytes_of(data, size), TCN_ROLE_AUTHORITY,
                      &secret, envelope, sizeof(envelope), &len) != TCN_OK)
        return 0;
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, file, sizeof(file));
    tcn_cbor_put_array(&w, 3);
    tcn_cbor_put_bytes(&w, tcn_bytes_of(envelope, len));
    tcn_cbor_put_bytes(&w, tcn_bytes_of(bundle, bundle_len));
    tcn_cbor_put_array(&w, 0);
    if (tcn_cbor_writer_done(&w, &whole) != TCN_OK)
        abort();
    open_file(whole);
    return 0;
}
