/* SPDX-License-Identifier: Apache-2.0 */
/* client_node.c - a node's life: opening, the loop behind tocsin_node_next, and its descriptor.
 * What a line is and how it connects is in client_node_lines.c. */
#include "client_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client_node_lines.h"
#include "topic.h"

enum {
    CONNECT_MS = 10000,
    LEAST_MS = 100,
    FIRST_METRICS_MS = 3000 /* by then both endpoints had their chance */
};

void tocsin_node_options_init(tocsin_node_options *ret_options)
{
    *ret_options = (tocsin_node_options){.struct_size = sizeof(*ret_options),
                                         .connect_timeout_ms = CONNECT_MS};
}

/* ---- opening ---- */

static tcn_err take_subscriptions(tocsin_node *node, const tocsin_node_options *options,
                                  tcn_fault *fault)
{
    if (options->subscriptions == NULL)
        return TCN_OK;
    if (options->subscription_count > TCN_MAX_PATTERNS)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "at most %d subscriptions", TCN_MAX_PATTERNS);
    node->subscribe = calloc(options->subscription_count + 1, sizeof(*node->subscribe));
    if (node->subscribe == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < options->subscription_count; i++) {
        tcn_bytes pattern = tcn_bytes_str(options->subscriptions[i]);
        if (tcn_pattern_check(pattern) != TCN_OK)
            return tcn_fault_set(fault, TCN_INVALID, "\"%s\" is not a topic pattern",
                                 options->subscriptions[i]);
        memcpy(node->subscribe[i], pattern.ptr, pattern.len);
    }
    node->subscriptions = options->subscription_count;
    return TCN_OK;
}

/* A cursor of another epoch than the first one's counts as none: the broker would say so, too. */
static tcn_err take_cursors(tocsin_node *node, const tocsin_node_options *options, tcn_fault *fault)
{
    const tocsin_cursor *given[TCN_LANES] = {options->bulk, options->emergency};
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        tcn_cursor_view view;
        if (given[lane] == NULL)
            continue;
        if (tcn_cursor_read(given[lane], &view) != TCN_OK || (unsigned)view.lane != lane)
            return tcn_fault_set(fault, TCN_INVALID, "the %s cursor is not one of this lane",
                                 tcn_lane_text((tcn_lane)lane));
        bool first = tcn_id_is_zero(&node->epoch);
        if (!first &&
            (!tcn_id_equal(&view.epoch, &node->epoch) || view.generation != node->generation))
            continue;
        node->epoch = view.epoch;
        node->generation = view.generation;
        node->cursor[lane] = view.at;
    }
    return TCN_OK;
}

static tcn_err open_descriptors(tocsin_node *node, tcn_fault *fault)
{
    node->epoll = epoll_create1(EPOLL_CLOEXEC);
    node->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (node->epoll < 0 || node->timer < 0 ||
        epoll_ctl(node->epoll, EPOLL_CTL_ADD, node->timer, &event) != 0)
        return tcn_fault_set(fault, errno == EMFILE ? TCN_FULL : TCN_IO,
                             "descriptors for a node: %s", strerror(errno));
    return TCN_OK;
}

static tcn_err take_options(tocsin_node *node, const tocsin_node_options *options, tcn_fault *fault)
{
    const char *software =
        options->software != NULL ? options->software : "libtocsin " TOCSIN_VERSION;
    const char *proxy = options->socks_proxy != NULL ? options->socks_proxy : "";
    if (strlen(software) >= sizeof(node->software) || strlen(proxy) >= sizeof(node->proxy))
        return tcn_fault_set(fault, TCN_INVALID, "software or socks_proxy is too long");
    (void)snprintf(node->software, sizeof(node->software), "%s", software);
    (void)snprintf(node->proxy, sizeof(node->proxy), "%s", proxy);
    uint32_t timeout = options->connect_timeout_ms == 0 ? CONNECT_MS : options->connect_timeout_ms;
    node->connect_timeout_ms = timeout < LEAST_MS ? LEAST_MS : timeout;
    node->session_only = options->session_only != 0;
    memcpy(node->instance.b, options->instance, sizeof(node->instance.b));
    tcn_err err = take_subscriptions(node, options, fault);
    return err == TCN_OK ? take_cursors(node, options, fault) : err;
}

static tcn_err set_up(tocsin_node *node, const tocsin_node_options *options, tcn_fault *fault)
{
    tcn_err err = tcn_keys_init();
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "libsodium cannot be used");
    err = take_options(node, options, fault);
    if (err != TCN_OK)
        return err;
    if (tcn_id_is_zero(&node->instance))
        randombytes_buf(node->instance.b, sizeof(node->instance.b));
    node->out = malloc(TCN_MAX_FRAME_BYTES);
    node->stored = calloc(TCN_NODE_STORED, sizeof(*node->stored));
    node->acks = calloc(TCN_NODE_ACKS, sizeof(*node->acks));
    if (node->out == NULL || node->stored == NULL || node->acks == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    err = open_descriptors(node, fault);
    if (err == TCN_OK)
        err = tcn_trust_home_open(options->home, &node->home, fault);
    if (err != TCN_OK)
        return err;
    node->has_home = true;
    if ((node->home.card.roles & TCN_ROLE_NODE) == 0)
        return tcn_fault_set(fault, TCN_WRONG_ROLE,
                             "%s does not have the role node; the authority can grant it",
                             node->home.card.name);
    return tcn_client_context_ref(&node->context, fault);
}

int32_t tocsin_node_open(const tocsin_node_options *options, tocsin_node **ret_node,
                         tocsin_error *error)
{
    tcn_fault fault = {.err = TCN_OK};
    if (options->struct_size < sizeof(options->struct_size) ||
        options->struct_size > sizeof(*options))
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "options are not of this library: use tocsin_node_options_init");
    tocsin_node_options known;
    tocsin_node_options_init(&known);
    memcpy(&known, options, options->struct_size);
    tocsin_node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    node->epoll = node->timer = -1;
    node->begun = tcn_now_mono();
    node->metrics_at = (tcn_mono){node->begun.ms + FIRST_METRICS_MS};
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        tcn_trust_feed_init(&node->line[lane].feed);
    tcn_err err = set_up(node, &known, &fault);
    if (err != TCN_OK) {
        tocsin_node_close(&node);
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, &fault);
    }
    tcn_node_wake(node);
    *ret_node = node;
    return TOCSIN_OK;
}

void tocsin_node_close(tocsin_node **node)
{
    tocsin_node *n = *node;
    if (n == NULL)
        return;
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        tcn_node_line_stop(n, &n->line[lane]);
        tcn_trust_feed_fini(&n->line[lane].feed);
        tcn_node_drop_queue(&n->line[lane]);
    }
    tcn_client_context_unref(&n->context);
    tcn_alert_view_free(n->alert);
    for (unsigned i = 0; n->acks != NULL && i < n->ack_count; i++)
        free(n->acks[i]);
    if (n->has_home)
        tcn_member_home_fini(&n->home);
    if (n->timer >= 0)
        (void)close(n->timer);
    if (n->epoll >= 0)
        (void)close(n->epoll);
    free(n->acks);
    free(n->stored);
    free(n->subscribe);
    free(n->small);
    free(n->small_text);
    free(n->out);
    free(n);
    *node = NULL;
}

/* ---- small events ---- */

static tcn_err grow_small(tocsin_node *node)
{
    size_t cap = node->small_cap == 0 ? 16 : node->small_cap * 2;
    tocsin_event *events = reallocarray(node->small, cap, sizeof(*events));
    if (events == NULL)
        return TCN_NO_MEMORY;
    node->small = events;
    tcn_fault *texts = reallocarray(node->small_text, cap, sizeof(*texts));
    if (texts == NULL)
        return TCN_NO_MEMORY;
    node->small_text = texts;
    node->small_cap = cap;
    return TCN_OK;
}

tcn_err tcn_node_tell(tocsin_node *node, const tocsin_event *event, const tcn_fault *text)
{
    if (node->small_count == node->small_cap) {
        tcn_err err = grow_small(node);
        if (err != TCN_OK)
            return err;
    }
    node->small[node->small_count] = *event;
    node->small_text[node->small_count].text[0] = '\0';
    if (text != NULL)
        node->small_text[node->small_count] = *text;
    node->small_count++;
    return TCN_OK;
}

static bool give_small(tocsin_node *node)
{
    if (node->small_at == node->small_count) {
        node->small_at = node->small_count = 0;
        return false;
    }
    node->event = node->small[node->small_at];
    memcpy(node->text, node->small_text[node->small_at].text, sizeof(node->text));
    node->event.text = node->text;
    node->small_at++;
    return true;
}

/* ---- the loop ---- */

/* What waits in queues and links, emergencies first, until one event is made or nothing is left.
 * Looking until nothing is left is also what re-arms libzmq's descriptors. */
static tcn_err look(tocsin_node *node, bool *ret_made)
{
    static const tcn_lane order[] = {TCN_LANE_EMERGENCY, TCN_LANE_BULK};
    bool again = true;
    while (again) {
        again = false;
        for (unsigned i = 0; i < TCN_LANES; i++) {
            tcn_node_line *line = &node->line[order[i]];
            bool got = false;
            tcn_err err = tcn_node_give(node, line, ret_made);
            if (err == TCN_OK && !*ret_made)
                err = tcn_node_read(node, line, &got, ret_made);
            if (err == TCN_OK && !*ret_made)
                *ret_made = give_small(node);
            if (err != TCN_OK || *ret_made)
                return err;
            again = again || got;
        }
    }
    return TCN_OK;
}

/* *ret_made: node->event is one to give; false: wait for something to happen. */
static tcn_err step(tocsin_node *node, bool *ret_made)
{
    tcn_err err = TCN_OK;
    bool again = true;
    *ret_made = give_small(node);
    while (err == TCN_OK && again && !*ret_made) {
        err = tcn_node_tend(node, tcn_now_mono());
        if (err == TCN_OK)
            err = look(node, ret_made);
        again = err == TCN_OK && !*ret_made && tcn_node_beat(node, tcn_now_mono());
    }
    return err;
}

static void arm(const tocsin_node *node, uint64_t in_ms)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(in_ms / 1000), .tv_nsec = (long)(in_ms % 1000) * 1000000}};
    if (in_ms == 0)
        at.it_value.tv_nsec = 1;
    (void)timerfd_settime(node->timer, 0, &at, NULL);
}

void tcn_node_wake(tocsin_node *node)
{
    arm(node, 0);
}

static void arm_for(const tocsin_node *node, tcn_mono now)
{
    tcn_mono due = tcn_node_due(node);
    arm(node, due.ms > now.ms ? due.ms - now.ms : 0);
}

static void wait_for(const tocsin_node *node, int32_t timeout_ms, tcn_mono until)
{
    struct epoll_event events[8];
    uint64_t expirations;
    tcn_mono now = tcn_now_mono();
    int timeout = -1;
    arm_for(node, now);
    if (timeout_ms >= 0)
        timeout = until.ms > now.ms ? (int)(until.ms - now.ms) : 0;
    (void)epoll_wait(node->epoll, events, 8, timeout);
    (void)!read(node->timer, &expirations, sizeof(expirations));
}

int32_t tocsin_node_next(tocsin_node *node, int32_t timeout_ms, const tocsin_event **ret_event,
                         tocsin_error *error)
{
    tcn_mono until = {tcn_now_mono().ms + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0)};
    tcn_alert_view_free(node->alert);
    node->alert = NULL;
    for (;;) {
        bool made = false;
        node->event = (tocsin_event){.text = ""};
        tcn_err err = step(node, &made);
        if (err != TCN_OK)
            return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, NULL);
        if (made) {
            *ret_event = &node->event;
            return TOCSIN_OK;
        }
        if (timeout_ms >= 0 && tcn_now_mono().ms >= until.ms) {
            uint64_t expirations;
            (void)!read(node->timer, &expirations, sizeof(expirations));
            arm_for(node, tcn_now_mono());
            return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TIMEOUT, "nothing came in time");
        }
        wait_for(node, timeout_ms, until);
    }
}

int tocsin_node_fd(const tocsin_node *node)
{
    return node->epoll;
}

void tocsin_node_traffic(const tocsin_node *node, uint32_t lane, tocsin_traffic *ret_traffic)
{
    const tcn_link_traffic *t = &node->line[lane == 0 ? 0 : 1].link.traffic;
    *ret_traffic = (tocsin_traffic){.frames_in = t->frames_in,
                                    .bytes_in = t->bytes_in,
                                    .frames_out = t->frames_out,
                                    .bytes_out = t->bytes_out};
}
