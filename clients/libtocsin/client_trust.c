/* SPDX-License-Identifier: Apache-2.0 */
/* client_trust.c - "Adopting a bundle" of docs/protocol.md §3. */
#include "client_trust.h"

#include <stdlib.h>
#include <string.h>

#include "client_error.h"

/* ---- homes ---- */

static tcn_err from_broker_home(const tcn_broker_home *broker, tcn_member_home *home,
                                tcn_fault *fault)
{
    size_t at = tcn_roster_find(broker->roster, broker->keys.name);
    if (at == SIZE_MAX)
        return tcn_fault_set(fault, TCN_NOT_FOUND, "%s: its trust file has no card of %s",
                             broker->path, broker->keys.name);
    tcn_bytes bundle = tcn_roster_bundle_envelope(broker->roster);
    tcn_bytes card = tcn_roster_card_envelope(broker->roster, at);
    memcpy(home->path, broker->path, sizeof(home->path));
    home->keys = broker->keys;
    home->authority = broker->authority;
    home->program = broker->program;
    home->bundle_len = bundle.len;
    home->card_len = card.len;
    tcn_err err = tcn_bytes_copy(bundle, &home->bundle_envelope);
    if (err == TCN_OK)
        err = tcn_bytes_copy(card, &home->card_envelope);
    if (err == TCN_OK)
        err = tcn_bundle_open(bundle, &home->authority, &home->bundle, fault);
    if (err == TCN_OK)
        err = tcn_card_open(card, &home->authority, &home->card, fault);
    return err;
}

tcn_err tcn_trust_home_open(const char *given, tcn_member_home *ret_home, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_home_resolve(given, path, fault);
    if (err != TCN_OK || tcn_home_kind_of(path) != TCN_HOME_BROKER)
        return err == TCN_OK ? tcn_member_home_open(path, ret_home, fault) : err;
    tcn_broker_home broker;
    err = tcn_broker_home_open(path, &broker, fault);
    if (err != TCN_OK)
        return err;
    memset(ret_home, 0, sizeof(*ret_home));
    err = from_broker_home(&broker, ret_home, fault);
    tcn_broker_home_fini(&broker);
    if (err != TCN_OK)
        tcn_member_home_fini(ret_home);
    return err;
}

tcn_err tcn_trust_home_save_bundle(const tcn_member_home *home, tcn_fault *fault)
{
    if (tcn_home_kind_of(home->path) == TCN_HOME_BROKER)
        return TCN_OK;
    return tcn_member_home_save_bundle(home, tcn_bytes_of(home->bundle_envelope, home->bundle_len),
                                       fault);
}

tcn_err tcn_trust_home_save_card(const tcn_member_home *home, tcn_fault *fault)
{
    if (tcn_home_kind_of(home->path) == TCN_HOME_BROKER)
        return TCN_OK;
    return tcn_member_home_save_card(home, tcn_bytes_of(home->card_envelope, home->card_len),
                                     fault);
}

/* ---- what comes from the broker ---- */

void tcn_trust_feed_init(tcn_trust_feed *feed)
{
    memset(feed, 0, sizeof(*feed));
    tcn_buf_init(&feed->buf, TCN_MAX_BUNDLE_BYTES);
}

void tcn_trust_feed_fini(tcn_trust_feed *feed)
{
    tcn_buf_fini(&feed->buf);
}

void tcn_trust_feed_reset(tcn_trust_feed *feed)
{
    tcn_buf_clear(&feed->buf);
    feed->version = feed->total = 0;
}

/* Replaces malloc'd bytes by a copy of others. */
static tcn_err replace(uint8_t **held, size_t *held_len, tcn_bytes by)
{
    uint8_t *copy = NULL;
    tcn_err err = tcn_bytes_copy(by, &copy);
    if (err != TCN_OK)
        return err;
    free(*held);
    *held = copy;
    *held_len = by.len;
    return TCN_OK;
}

static tcn_err adopt_bundle(tcn_member_home *home, tcn_bytes envelope, tcn_wall now,
                            tcn_fault *fault)
{
    tcn_bundle bundle;
    tcn_err err = tcn_bundle_open(envelope, &home->authority, &bundle, fault);
    if (err != TCN_OK)
        return err;
    if (bundle.version <= home->bundle.version)
        err = TCN_STALE;
    else if (bundle.expires.unix_ms <= now.unix_ms)
        err = tcn_fault_set(fault, TCN_EXPIRED,
                            "the broker's trust bundle %llu has expired; the authority must sign "
                            "a new one (tocsin roster sign)",
                            (unsigned long long)bundle.version);
    else
        err = replace(&home->bundle_envelope, &home->bundle_len, envelope);
    if (err != TCN_OK) {
        tcn_bundle_fini(&bundle);
        return err;
    }
    tcn_bundle_fini(&home->bundle);
    home->bundle = bundle;
    return TCN_OK;
}

tcn_err tcn_trust_feed_take(tcn_trust_feed *feed, tcn_member_home *home, const tcn_wire *trust,
                            tcn_wall now, tcn_fed *ret_fed, tcn_fault *fault)
{
    *ret_fed = TCN_FED_NOTHING;
    if (trust->trust.version <= home->bundle.version)
        return TCN_OK;
    if (trust->trust.total > TCN_MAX_BUNDLE_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "the broker offers a trust bundle of %llu bytes",
                             (unsigned long long)trust->trust.total);
    if (trust->trust.version != feed->version || trust->trust.total != feed->total)
        tcn_trust_feed_reset(feed);
    feed->version = trust->trust.version;
    feed->total = trust->trust.total;
    /* A piece that is not the next one is a repetition: go on asking for the next. */
    if (trust->trust.offset == feed->buf.len && trust->trust.bytes.len > 0) {
        tcn_err err = tcn_buf_append(&feed->buf, trust->trust.bytes);
        if (err != TCN_OK)
            return tcn_fault_set(fault, err, "a trust bundle: %s", tcn_err_text(err));
    }
    if (feed->buf.len < feed->total) {
        *ret_fed = TCN_FED_MORE;
        return TCN_OK;
    }
    tcn_err err = adopt_bundle(home, tcn_buf_bytes(&feed->buf), now, fault);
    if (err == TCN_OK)
        *ret_fed = TCN_FED_ADOPTED;
    tcn_trust_feed_reset(feed);
    return err == TCN_STALE ? TCN_OK : err;
}

tcn_err tcn_trust_take_card(tcn_member_home *home, tcn_bytes envelope, tcn_fault *fault)
{
    tcn_card card;
    tcn_err err = tcn_card_open(envelope, &home->authority, &card, fault);
    if (err != TCN_OK)
        return err;
    if (strcmp(card.name, home->card.name) != 0)
        err = tcn_fault_set(fault, TCN_CONFLICT, "the broker sent the card of %s", card.name);
    else if (card.version > home->card.version)
        err = replace(&home->card_envelope, &home->card_len, envelope);
    if (err != TCN_OK || card.version <= home->card.version) {
        tcn_card_fini(&card);
        return err;
    }
    tcn_card_fini(&home->card);
    home->card = card;
    return TCN_OK;
}

tcn_wall tcn_trust_time(const tcn_member_home *home, int64_t broker_offset_ms, bool *ret_suspect)
{
    tcn_wall now = tcn_now_wall();
    *ret_suspect = broker_offset_ms > TCN_DAY_MS || broker_offset_ms < -TCN_DAY_MS;
    if (*ret_suspect)
        now.unix_ms -= broker_offset_ms;
    if (now.unix_ms < home->bundle.issued.unix_ms)
        now = home->bundle.issued;
    return now;
}
