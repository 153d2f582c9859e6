/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - see link.h. Greeting and HELLO go out together; WELCOME brings the server's short-term
 * key, INITIATE proves ours, READY ends the handshake. */
#define _GNU_SOURCE
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum {
    GREETING = 64,
    MAC = crypto_box_MACBYTES,
    EVENTS = 512,
    READ_BYTES = 262144,
    FRAME_BYTES = 65536 + 64,
    FLAG_LONG = 2,
    FLAG_COMMAND = 4,
    WELCOME_BYTES = 168,
    INITIATE_HEAD = 9 + 96 + 8,
    MESSAGE_HEAD = 8 + 8
};

void bench_hub_init(bench_hub *hub, const bench_link_ops *ops, void *arg)
{
    *hub = (bench_hub){.epoll = epoll_create1(EPOLL_CLOEXEC), .ops = ops, .arg = arg};
    if (hub->epoll < 0)
        bench_die("epoll_create1", strerror(errno));
}

static void watch(bench_link *link, int op)
{
    struct epoll_event event = {.data.ptr = link};
    event.events =
        (link->stalled ? 0 : (uint32_t)EPOLLIN) | (link->waits_to_write ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(link->hub->epoll, op, link->fd, &event) != 0)
        bench_die("epoll_ctl", strerror(errno));
}

void bench_link_stop(bench_link *link)
{
    if (link->state == BENCH_LINK_IDLE)
        return;
    (void)close(link->fd);
    free(link->in);
    free(link->out);
    *link = (bench_link){
        .hub = link->hub, .secret = link->secret, .owner = link->owner, .tag = link->tag, .fd = -1};
}

static void fail(bench_link *link)
{
    bench_link_stop(link);
    link->hub->ops->down(link->hub->arg, link);
}

void bench_link_stall(bench_link *link, bool stalled)
{
    link->stalled = stalled;
    watch(link, EPOLL_CTL_MOD);
}

/* ---- writing ---- */

static uint8_t *room(bench_link *link, size_t more)
{
    if (link->out_len + more > link->out_cap) {
        size_t cap = (link->out_len + more) * 2;
        uint8_t *out = realloc(link->out, cap);
        if (out == NULL)
            bench_die("link", "out of memory");
        link->out = out;
        link->out_cap = cap;
    }
    uint8_t *at = link->out + link->out_len;
    link->out_len += more;
    return at;
}

static uint8_t *frame_room(bench_link *link, unsigned flags, size_t len)
{
    if (len <= 255) {
        uint8_t *at = room(link, 2 + len);
        at[0] = (uint8_t)flags;
        at[1] = (uint8_t)len;
        return at + 2;
    }
    uint8_t *at = room(link, 9 + len);
    at[0] = (uint8_t)(flags | FLAG_LONG);
    for (size_t i = 0; i < 8; i++)
        at[1 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    return at + 9;
}

void bench_link_flush(bench_link *link)
{
    while (link->out_at < link->out_len) {
        ssize_t n =
            send(link->fd, link->out + link->out_at, link->out_len - link->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            if (!link->waits_to_write) {
                link->waits_to_write = true;
                watch(link, EPOLL_CTL_MOD);
            }
            return;
        }
        if (n <= 0)
            return; /* reading will tell */
        link->out_at += (size_t)n;
    }
    link->out_at = link->out_len = 0;
    if (link->out_cap > READ_BYTES) {
        free(link->out);
        link->out = NULL;
        link->out_cap = 0;
    }
    if (link->waits_to_write) {
        link->waits_to_write = false;
        watch(link, EPOLL_CTL_MOD);
    }
}

static void put_nonce(bench_link *link, uint8_t ret_short[static 8], const char *prefix,
                      uint8_t ret_nonce[static 24])
{
    link->nonce++;
    for (size_t i = 0; i < 8; i++)
        ret_short[i] = (uint8_t)(link->nonce >> (56 - 8 * i));
    memcpy(ret_nonce, prefix, 16);
    memcpy(ret_nonce + 16, ret_short, 8);
}

void bench_link_send(bench_link *link, tcn_bytes frame)
{
    static uint8_t plain[FRAME_BYTES];
    uint8_t nonce[24];
    if (link->state != BENCH_LINK_UP || frame.len + 1 > sizeof(plain))
        return;
    uint8_t *at = frame_room(link, 0, MESSAGE_HEAD + MAC + 1 + frame.len);
    memcpy(at, "\x07MESSAGE", 8);
    put_nonce(link, at + 8, "CurveZMQMESSAGEC", nonce);
    plain[0] = 0;
    memcpy(plain + 1, frame.ptr, frame.len);
    if (crypto_box_easy_afternm(at + MESSAGE_HEAD, plain, 1 + frame.len, nonce, link->key) != 0)
        bench_die("link", "cannot encrypt");
}

/* ---- handshake ---- */

static void put_greeting(bench_link *link)
{
    static const uint8_t signature[10] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f};
    uint8_t *at = room(link, GREETING);
    memset(at, 0, GREETING);
    memcpy(at, signature, sizeof(signature));
    at[10] = 3;
    memcpy(at + 12, "CURVE", 5);
}

static void put_hello(bench_link *link)
{
    static const uint8_t zeros[64];
    uint8_t nonce[24];
    uint8_t *at = frame_room(link, FLAG_COMMAND, 200);
    memset(at, 0, 200);
    memcpy(at, "\x05HELLO\x01", 7);
    (void)crypto_box_keypair(link->ephemeral_pub, link->ephemeral);
    if (crypto_box_beforenm(link->key, link->hub->server.b, link->ephemeral) != 0)
        bench_die("link", "the server's key is unusable");
    memcpy(at + 80, link->ephemeral_pub, 32);
    put_nonce(link, at + 112, "CurveZMQHELLO---", nonce);
    (void)crypto_box_easy_afternm(at + 120, zeros, sizeof(zeros), nonce, link->key);
}

static bool take_welcome(bench_link *link, tcn_bytes body)
{
    static const uint8_t metadata[] = "\x0bSocket-Type\0\0\0\x06"
                                      "DEALER\x08Identity\0\0\0";
    uint8_t nonce[24], plain[128], vouch[64], inside[32 + 16 + 80 + sizeof(metadata)];
    if (body.len != WELCOME_BYTES || memcmp(body.ptr, "\x07WELCOME", 8) != 0)
        return false;
    memcpy(nonce, "WELCOME-", 8);
    memcpy(nonce + 8, body.ptr + 8, 16);
    if (crypto_box_open_easy_afternm(plain, body.ptr + 24, 144, nonce, link->key) != 0 ||
        crypto_box_beforenm(link->key, plain, link->ephemeral) != 0)
        return false;
    uint8_t *at = frame_room(link, FLAG_COMMAND, INITIATE_HEAD + MAC + sizeof(inside));
    memcpy(at, "\x08INITIATE", 9);
    memcpy(at + 9, plain + 32, 96);
    (void)crypto_scalarmult_base(inside, link->secret->b);
    randombytes_buf(inside + 32, 16);
    memcpy(vouch, link->ephemeral_pub, 32);
    memcpy(vouch + 32, link->hub->server.b, 32);
    memcpy(nonce, "VOUCH---", 8);
    memcpy(nonce + 8, inside + 32, 16);
    if (crypto_box_easy(inside + 48, vouch, sizeof(vouch), nonce, plain, link->secret->b) != 0)
        return false;
    memcpy(inside + 128, metadata, sizeof(metadata));
    put_nonce(link, at + 105, "CurveZMQINITIATE", nonce);
    return crypto_box_easy_afternm(at + INITIATE_HEAD, inside, sizeof(inside), nonce, link->key) ==
           0;
}

static bool take_ready(const tcn_bytes *body)
{
    return body->len > 14 + MAC && memcmp(body->ptr, "\x05READY", 6) == 0;
}

/* ---- reading ---- */

static bool take_message(bench_link *link, tcn_bytes body)
{
    static uint8_t plain[FRAME_BYTES];
    uint8_t nonce[24];
    if (body.len < MESSAGE_HEAD + MAC + 1 || body.len - MESSAGE_HEAD - MAC > sizeof(plain) ||
        memcmp(body.ptr, "\x07MESSAGE", 8) != 0)
        return false;
    memcpy(nonce, "CurveZMQMESSAGES", 16);
    memcpy(nonce + 16, body.ptr + 8, 8);
    size_t sealed = body.len - MESSAGE_HEAD;
    if (crypto_box_open_easy_afternm(plain, body.ptr + MESSAGE_HEAD, sealed, nonce, link->key) != 0)
        return false;
    link->hub->ops->frame(link->hub->arg, link, tcn_bytes_of(plain + 1, sealed - MAC - 1));
    return true;
}

static bool take_frame(bench_link *link, tcn_bytes body)
{
    switch (link->state) {
    case BENCH_LINK_WELCOME:
        if (!take_welcome(link, body))
            return false;
        link->state = BENCH_LINK_READY;
        return true;
    case BENCH_LINK_READY:
        if (!take_ready(&body))
            return false;
        link->state = BENCH_LINK_UP;
        link->hub->ops->up(link->hub->arg, link);
        return true;
    case BENCH_LINK_UP: return take_message(link, body);
    default: return false;
    }
}

/* Bytes of whole frames at ptr, all handled; SIZE_MAX: something was wrong, or the link ended. */
static size_t take_bytes(bench_link *link, const uint8_t *ptr, size_t len)
{
    size_t at = 0;
    if (link->state == BENCH_LINK_GREETING) {
        if (len < GREETING)
            return 0;
        at = GREETING;
        link->state = BENCH_LINK_WELCOME;
    }
    while (len - at >= 2) {
        size_t head = (ptr[at] & FLAG_LONG) != 0 ? 9 : 2, size = ptr[at + 1];
        if (len - at < head)
            break;
        for (size_t i = 2; i < head; i++)
            size = size << 8 | ptr[at + i];
        if (size > FRAME_BYTES)
            return SIZE_MAX;
        if (len - at - head < size)
            break;
        if (!take_frame(link, tcn_bytes_of(ptr + at + head, size)) ||
            link->state == BENCH_LINK_IDLE)
            return SIZE_MAX;
        at += head + size;
    }
    return at;
}

static void keep_rest(bench_link *link, const uint8_t *ptr, size_t len)
{
    if (len > link->in_cap || (link->in_cap > 4096 && len == 0)) {
        free(link->in);
        link->in = len > 0 ? malloc(len) : NULL;
        link->in_cap = len;
        if (len > 0 && link->in == NULL)
            bench_die("link", "out of memory");
    }
    if (len > 0)
        memcpy(link->in, ptr, len);
    link->in_len = len;
}

static void read_link(bench_link *link)
{
    static uint8_t bytes[READ_BYTES + FRAME_BYTES + 16];
    for (;;) {
        if (link->in_len > 0)
            memcpy(bytes, link->in, link->in_len);
        ssize_t n = recv(link->fd, bytes + link->in_len, READ_BYTES, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        size_t len = link->in_len + (n > 0 ? (size_t)n : 0);
        size_t used = n > 0 ? take_bytes(link, bytes, len) : SIZE_MAX;
        if (link->state == BENCH_LINK_IDLE)
            return;
        if (used == SIZE_MAX) {
            fail(link);
            return;
        }
        keep_rest(link, bytes + used, len - used);
        if (n < READ_BYTES)
            break;
    }
    if (link->state == BENCH_LINK_UP)
        link->hub->ops->batch(link->hub->arg, link);
    if (link->state != BENCH_LINK_IDLE && link->out_at < link->out_len)
        bench_link_flush(link);
}

void bench_hub_wakes(bench_hub *hub, bench_hub *other)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(other->epoll, EPOLL_CTL_ADD, hub->epoll, &event) != 0)
        bench_die("epoll_ctl", strerror(errno));
}

void bench_hub_pump(bench_hub *hub, int timeout_ms, int most)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(hub->epoll, event, most < EVENTS ? most : EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        bench_link *link = event[i].data.ptr;
        if (link == NULL || link->state == BENCH_LINK_IDLE)
            continue;
        if ((event[i].events & EPOLLOUT) != 0)
            bench_link_flush(link);
        if ((event[i].events & ~(uint32_t)EPOLLOUT) != 0)
            read_link(link);
    }
}

void bench_link_start(bench_link *link, bench_hub *hub, unsigned port, const tcn_box_secret *secret)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int one = 1;
    *link = (bench_link){.hub = hub,
                         .secret = secret,
                         .owner = link->owner,
                         .tag = link->tag,
                         .state = BENCH_LINK_GREETING,
                         .waits_to_write = true};
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        bench_die("socket", strerror(errno));
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(link->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS)
        bench_die("connect", strerror(errno));
    watch(link, EPOLL_CTL_ADD);
    put_greeting(link);
    put_hello(link);
}
