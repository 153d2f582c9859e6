/* SPDX-License-Identifier: Apache-2.0 */
/* zap.c - request (RFC 27): version, request id, domain, address, identity, mechanism, credentials;
 * reply: version, request id, status, text, user id, metadata. One frame each. */
#define _GNU_SOURCE /* pipe2 */
#include "zap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "libtocsin/curve.h"
#include "libtocsin/text.h"

enum {
    VERSION,
    REQUEST,
    DOMAIN,
    ADDRESS,
    IDENTITY,
    MECHANISM,
    CREDENTIALS,
    REPLY_FRAMES = 6,
    SHORT_BYTES = 255, /* RFC 27: request id, domain, address, identity */
    STACK_BYTES = 262144
};

struct tcn_zap {
    void *context, *handler;
    const tcn_clock *clock;
    pthread_t thread;
    bool started;
    int stop_fd;          /* written to end the thread */
    int alive[2];         /* the thread holds [1]; its end makes [0] readable */
    pthread_mutex_t lock; /* of what follows */
    tcn_roster *roster;
    tcn_zap_refusals refusals;
};

/* ---- judging ---- */

static bool is_word(tcn_bytes frame, const char *word)
{
    return tcn_bytes_equal(frame, tcn_bytes_str(word));
}

static void verdict_refuse(tcn_zap_verdict *verdict, const char *why)
{
    verdict->status = TCN_ZAP_REFUSED;
    verdict->why = why;
}

static const char *malformation(const tcn_bytes *frames, size_t count)
{
    if (count != TCN_ZAP_REQUEST_FRAMES)
        return "not a ZAP request of CURVE";
    if (!is_word(frames[VERSION], "1.0"))
        return "not ZAP 1.0";
    for (int i = REQUEST; i <= IDENTITY; i++)
        if (frames[i].len > SHORT_BYTES)
            return "a frame of the ZAP request is too long";
    if (!is_word(frames[DOMAIN], TCN_ZAP_DOMAIN))
        return "not our ZAP domain";
    if (!is_word(frames[MECHANISM], "CURVE"))
        return "only CURVE is accepted";
    if (frames[CREDENTIALS].len != sizeof(tcn_box_public))
        return "not a CURVE key";
    return NULL;
}

void tcn_zap_judge(const tcn_bytes *frames, size_t count, const tcn_roster *roster, tcn_wall now,
                   tcn_zap_verdict *ret_verdict)
{
    tcn_zap_verdict verdict = {.status = TCN_ZAP_FAILED, .why = "no roster"};
    if (count > REQUEST && frames[REQUEST].len <= SHORT_BYTES)
        verdict.request = frames[REQUEST];
    const char *malformed = malformation(frames, count);
    if (malformed != NULL) {
        verdict_refuse(&verdict, malformed);
    } else if (roster != NULL) {
        tcn_box_public key;
        memcpy(key.b, frames[CREDENTIALS].ptr, sizeof(key.b));
        tcn_wall at = tcn_bundle_trust_time(tcn_roster_bundle(roster), now);
        size_t index = tcn_roster_find_transport(roster, &key, at);
        /* The snapshot says both, but who is let in is worth a second look. */
        const tcn_card *card = index == SIZE_MAX ? NULL : tcn_roster_member(roster, index);
        if (card == NULL || !tcn_card_is_valid(card, at)) {
            verdict_refuse(&verdict, "no valid card has this key");
        } else {
            verdict.status = TCN_ZAP_ACCEPTED;
            verdict.why = "OK";
            (void)snprintf(verdict.member, sizeof(verdict.member), "%s", card->name);
        }
    }
    *ret_verdict = verdict;
}

/* ---- the handler ---- */

typedef struct {
    zmq_msg_t msg[TCN_ZAP_REQUEST_FRAMES];
    tcn_bytes frame[TCN_ZAP_REQUEST_FRAMES];
    size_t kept, count;
} request;

static void request_fini(request *req)
{
    for (size_t i = 0; i < req->kept; i++)
        (void)zmq_msg_close(&req->msg[i]);
    req->kept = 0;
}

/* Reads one whole message; frames beyond the last that counts are not kept. 0, or errno. */
static int request_read(void *handler, request *ret_req)
{
    ret_req->kept = ret_req->count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t msg;
        (void)zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, handler, ret_req->count == 0 ? ZMQ_DONTWAIT : 0) < 0) {
            int err = zmq_errno();
            (void)zmq_msg_close(&msg);
            return err;
        }
        more = zmq_msg_more(&msg) != 0;
        ret_req->count++;
        if (ret_req->kept < TCN_ZAP_REQUEST_FRAMES) {
            zmq_msg_t *slot = &ret_req->msg[ret_req->kept];
            (void)zmq_msg_init(slot);
            (void)zmq_msg_move(slot, &msg);
            ret_req->frame[ret_req->kept++] = tcn_bytes_of(zmq_msg_data(slot), zmq_msg_size(slot));
        }
        (void)zmq_msg_close(&msg);
    }
    return 0;
}

static int reply(void *handler, const tcn_zap_verdict *verdict)
{
    char status[16];
    (void)snprintf(status, sizeof(status), "%d", verdict->status);
    const tcn_bytes frames[REPLY_FRAMES] = {
        tcn_bytes_str("1.0"),           verdict->request,
        tcn_bytes_str(status),          tcn_bytes_str(verdict->why),
        tcn_bytes_str(verdict->member), {NULL, 0},
    };
    for (size_t i = 0; i < REPLY_FRAMES; i++)
        if (zmq_send(handler, frames[i].ptr, frames[i].len,
                     i + 1 < REPLY_FRAMES ? ZMQ_SNDMORE : 0) < 0)
            return zmq_errno();
    return 0;
}

/* libzmq writes IPv4 as IPv6 that it is mapped into. */
static tcn_bytes plain_address(tcn_bytes address)
{
    static const char mapped[] = "::ffff:";
    size_t len = sizeof(mapped) - 1;
    if (address.len <= len || memcmp(address.ptr, mapped, len) != 0 ||
        memchr(address.ptr, '.', address.len) == NULL)
        return address;
    return tcn_bytes_of(address.ptr + len, address.len - len);
}

static void remember_refusal(tcn_zap *zap, const request *req, const tcn_zap_verdict *verdict)
{
    (void)pthread_mutex_lock(&zap->lock);
    tcn_zap_refusals *refusals = &zap->refusals;
    refusals->count++;
    refusals->total++;
    refusals->why = verdict->why;
    refusals->address[0] = '\0';
    refusals->has_key = false;
    if (req->count == TCN_ZAP_REQUEST_FRAMES) {
        (void)tcn_text_line(plain_address(req->frame[ADDRESS]), refusals->address,
                            sizeof(refusals->address));
        refusals->has_key = req->frame[CREDENTIALS].len == sizeof(refusals->key.b);
        if (refusals->has_key)
            memcpy(refusals->key.b, req->frame[CREDENTIALS].ptr, sizeof(refusals->key.b));
    }
    (void)pthread_mutex_unlock(&zap->lock);
}

/* Answers one request. 0, EAGAIN when none waits, or the errno that ends the handler. */
static int serve(tcn_zap *zap)
{
    request req;
    int err = request_read(zap->handler, &req);
    if (err == 0) {
        (void)pthread_mutex_lock(&zap->lock);
        tcn_roster *roster = zap->roster == NULL ? NULL : tcn_roster_ref(zap->roster);
        (void)pthread_mutex_unlock(&zap->lock);
        tcn_zap_verdict verdict;
        tcn_zap_judge(req.frame, req.count, roster, zap->clock->wall(zap->clock->self), &verdict);
        if (verdict.status != TCN_ZAP_ACCEPTED)
            remember_refusal(zap, &req, &verdict);
        err = reply(zap->handler, &verdict);
        tcn_roster_unref(&roster);
    }
    request_fini(&req);
    return err;
}

static void *handle(void *arg)
{
    tcn_zap *zap = arg;
    zmq_pollitem_t items[2] = {{.socket = zap->handler, .events = ZMQ_POLLIN},
                               {.fd = zap->stop_fd, .events = ZMQ_POLLIN}};
    int err = 0;
    while (err == 0 || err == EAGAIN || err == EINTR) {
        if (zmq_poll(items, 2, -1) < 0) {
            err = zmq_errno();
            continue;
        }
        if (items[1].revents != 0)
            break;
        err = serve(zap);
    }
    tcn_curve_close(&zap->handler);
    (void)close(zap->alive[1]);
    return NULL;
}

/* ---- life ---- */

static tcn_err open_handler(tcn_zap *zap, tcn_fault *fault)
{
    int none = 0;
    zap->handler = zmq_socket(zap->context, ZMQ_REP);
    if (zap->handler == NULL ||
        zmq_setsockopt(zap->handler, ZMQ_LINGER, &none, sizeof(none)) != 0 ||
        zmq_bind(zap->handler, TCN_ZAP_ENDPOINT) != 0) {
        int why = zmq_errno();
        return tcn_fault_set(fault, tcn_zmq_error(why), "the ZAP handler cannot start: %s",
                             zmq_strerror(why));
    }
    return TCN_OK;
}

static tcn_err start_thread(tcn_zap *zap, tcn_fault *fault)
{
    zap->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (zap->stop_fd < 0 || pipe2(zap->alive, O_CLOEXEC) != 0)
        return tcn_fault_set(fault, TCN_IO, "the ZAP handler cannot start: %s", strerror(errno));
    /* Signals are the loop's. */
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attr;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = pthread_create(&zap->thread, &attr, handle, zap);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "the ZAP handler cannot start: %s",
                             strerror(rc));
    zap->started = true;
    return TCN_OK;
}

tcn_err tcn_zap_start(void *context, tcn_roster *roster, const tcn_clock *clock, tcn_zap **ret_zap,
                      tcn_fault *fault)
{
    tcn_zap *zap = calloc(1, sizeof(*zap));
    if (zap == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    zap->context = context;
    zap->clock = clock;
    zap->stop_fd = zap->alive[0] = zap->alive[1] = -1;
    (void)pthread_mutex_init(&zap->lock, NULL);
    zap->roster = tcn_roster_ref(roster);
    tcn_err err = open_handler(zap, fault);
    if (err == TCN_OK)
        err = start_thread(zap, fault);
    if (err != TCN_OK) {
        tcn_zap_stop(&zap);
        return err;
    }
    *ret_zap = zap;
    return TCN_OK;
}

void tcn_zap_set_roster(tcn_zap *zap, tcn_roster *roster)
{
    tcn_roster *next = tcn_roster_ref(roster);
    (void)pthread_mutex_lock(&zap->lock);
    tcn_roster *previous = zap->roster;
    zap->roster = next;
    (void)pthread_mutex_unlock(&zap->lock);
    tcn_roster_unref(&previous);
}

int tcn_zap_fd(const tcn_zap *zap)
{
    return zap->alive[0];
}

void tcn_zap_take_refusals(tcn_zap *zap, tcn_zap_refusals *ret_refusals)
{
    (void)pthread_mutex_lock(&zap->lock);
    *ret_refusals = zap->refusals;
    zap->refusals.count = 0;
    (void)pthread_mutex_unlock(&zap->lock);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void tcn_zap_stop(tcn_zap **zap_ref)
{
    tcn_zap *zap = *zap_ref;
    if (zap == NULL)
        return;
    if (zap->started) {
        uint64_t one = 1;
        ssize_t written = write(zap->stop_fd, &one, sizeof(one));
        (void)written; /* an eventfd that is full is as readable */
        (void)pthread_join(zap->thread, NULL);
    } else {
        tcn_curve_close(&zap->handler);
        close_fd(zap->alive[1]);
    }
    close_fd(zap->stop_fd);
    close_fd(zap->alive[0]);
    tcn_roster_unref(&zap->roster);
    (void)pthread_mutex_destroy(&zap->lock);
    free(zap);
    *zap_ref = NULL;
}
