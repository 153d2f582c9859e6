/* SPDX-License-Identifier: Apache-2.0 */
/* The test is libzmq on one side and the proxy on the other. */
#include "libtocsin/socks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_S = 20, LARGE = 3 * 1024 * 1024 };

typedef struct {
    int listener; /* the proxy's */
    char proxy[64];
    tcn_socks *way;
    int ours, theirs; /* libzmq's end, the proxy's end */
} rig;

/* No test waits for ever. */
static int limited(int fd)
{
    const struct timeval limit = {.tv_sec = LIMIT_S};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

static int set_up(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(here);
    rig *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -1;
    r->ours = r->theirs = -1;
    r->listener = limited(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(bind(r->listener, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(r->listener, 4), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&here, &size), 0);
    (void)snprintf(r->proxy, sizeof(r->proxy), "127.0.0.1:%u", (unsigned)ntohs(here.sin_port));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    rig *r = *state;
    tcn_socks_close(&r->way);
    const int fds[] = {r->ours, r->theirs, r->listener};
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    free(r);
    return 0;
}

static int connect_to(const tcn_socks *way)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    const char *name = tcn_socks_endpoint(way) + strlen("ipc://");
    size_t len = strlen(name);
    assert_int_equal(name[0], '@');
    memcpy(there.sun_path + 1, name + 1, len - 1);
    int fd = limited(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(connect(fd, (struct sockaddr *)&there,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    return fd;
}

static void begin(rig *r, const char *target)
{
    assert_int_equal(tcn_socks_open(r->proxy, target, &r->way, NULL), TCN_OK);
    r->ours = connect_to(r->way);
    r->theirs = limited(accept(r->listener, NULL, NULL));
}

static void expect(int fd, const void *bytes, size_t len)
{
    uint8_t got[512];
    assert_true(len <= sizeof(got));
    assert_int_equal(recv(fd, got, len, MSG_WAITALL), (ssize_t)len);
    assert_memory_equal(got, bytes, len);
}

static void give(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void expect_end(int fd)
{
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static const uint8_t greeting[] = {5, 1, 0}, welcome[] = {5, 0};
static const uint8_t granted[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};

static void assert_why(tcn_socks *way, const char *part)
{
    char why[TCN_SOCKS_WHY_SIZE];
    tcn_socks_why(way, why);
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

/* ---- what is asked ---- */

static void asks_for(rig *r, const char *target, const void *request, size_t len)
{
    begin(r, target);
    assert_why(r->way, "does not answer");
    expect(r->theirs, greeting, sizeof(greeting));
    give(r->theirs, welcome, sizeof(welcome));
    expect(r->theirs, request, len);
    give(r->theirs, granted, sizeof(granted));
    give(r->theirs, "down", 4);
    expect(r->ours, "down", 4);
    char why[TCN_SOCKS_WHY_SIZE];
    tcn_socks_why(r->way, why);
    assert_string_equal(why, "");
    give(r->ours, "up", 2);
    expect(r->theirs, "up", 2);
}

static void test_by_name(void **state)
{
    static const uint8_t request[] = "\5\1\0\3\16broker.invalid\x1d\x06";
    asks_for(*state, "broker.invalid:7430", request, sizeof(request) - 1);
}

static void test_by_ipv4(void **state)
{
    static const uint8_t request[] = {5, 1, 0, 1, 192, 0, 2, 7, 0x1d, 0x06};
    asks_for(*state, "192.0.2.7:7430", request, sizeof(request));
}

static void test_by_ipv6(void **state)
{
    static const uint8_t request[] = {5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0,
                                      0, 0, 0, 0, 0,    0, 0,    0,    1, 1, 0};
    asks_for(*state, "[2001:db8::1]:256", request, sizeof(request));
}

/* The reply's own address may be of any kind, and the broker's first bytes right behind it. */
static void test_reply_with_a_name(void **state)
{
    static const uint8_t reply[] = "\5\0\0\3\4host\0\1first";
    rig *r = *state;
    begin(r, "b:1");
    expect(r->theirs, greeting, sizeof(greeting));
    give(r->theirs, welcome, sizeof(welcome));
    expect(r->theirs, "\5\1\0\3\1b\0\1", 8);
    give(r->theirs, reply, sizeof(reply) - 1);
    expect(r->ours, "first", 5);
}

/* ---- what goes wrong ---- */

static void refused(rig *r, const void *first, size_t first_len, const void *reply, size_t len,
                    const char *why)
{
    begin(r, "b:1");
    expect(r->theirs, greeting, sizeof(greeting));
    give(r->theirs, first, first_len);
    if (len > 0) {
        expect(r->theirs, "\5\1\0\3\1b\0\1", 8);
        give(r->theirs, reply, len);
    }
    expect_end(r->ours);
    assert_why(r->way, r->proxy);
    assert_why(r->way, why);
}

static void test_no_such_host(void **state)
{
    refused(*state, welcome, 2, "\5\4\0\1\0\0\0\0\0\0", 10, "no such name");
}

static void test_unknown_refusal(void **state)
{
    refused(*state, welcome, 2, "\5\377\0\1\0\0\0\0\0\0", 10, "no known reason");
}

static void test_login(void **state)
{
    refused(*state, "\5\2", 2, NULL, 0, "demands a login");
}

static void test_not_socks(void **state)
{
    refused(*state, "HTTP/1.1 400", 12, NULL, 0, "does not speak SOCKS5");
}

static void test_not_socks_later(void **state)
{
    refused(*state, welcome, 2, "\5\0\0\11", 4, "does not speak SOCKS5");
}

static void test_proxy_goes(void **state)
{
    rig *r = *state;
    begin(r, "b:1");
    expect(r->theirs, greeting, sizeof(greeting));
    give(r->theirs, "\5", 1);
    (void)close(r->theirs);
    r->theirs = -1;
    expect_end(r->ours);
    assert_why(r->way, "closed the connection");
}

static void test_nobody_there(void **state)
{
    rig *r = *state;
    (void)close(r->listener);
    r->listener = -1;
    assert_int_equal(tcn_socks_open(r->proxy, "b:1", &r->way, NULL), TCN_OK);
    r->ours = connect_to(r->way);
    expect_end(r->ours);
    assert_why(r->way, "cannot be reached: Connection refused");
}

static void test_not_host_port(void **state)
{
    (void)state;
    tcn_socks *way = NULL;
    tcn_fault fault;
    assert_int_equal(tcn_socks_open("proxy", "b:1", &way, &fault), TCN_INVALID);
    assert_non_null(strstr(fault.text, "host:port"));
    assert_int_equal(tcn_socks_open("p:1", "b", &way, &fault), TCN_INVALID);
    assert_null(way);
}

static void test_nothing_to_close(void **state)
{
    (void)state;
    tcn_socks *none = NULL;
    char why[TCN_SOCKS_WHY_SIZE] = "x";
    tcn_socks_close(&none);
    tcn_socks_why(none, why);
    assert_string_equal(why, "");
}

/* ---- ends ---- */

static void open_way(rig *r)
{
    begin(r, "b:1");
    expect(r->theirs, greeting, sizeof(greeting));
    give(r->theirs, welcome, sizeof(welcome));
    expect(r->theirs, "\5\1\0\3\1b\0\1", 8);
    give(r->theirs, granted, sizeof(granted));
    give(r->theirs, "open", 4); /* what was not read when the way ends would be a reset */
    expect(r->ours, "open", 4);
}

static void test_last_words_arrive(void **state)
{
    rig *r = *state;
    open_way(r);
    give(r->theirs, "last words", 10);
    (void)close(r->theirs);
    r->theirs = -1;
    expect(r->ours, "last words", 10);
    expect_end(r->ours);
}

static void test_closed_while_open(void **state)
{
    rig *r = *state;
    open_way(r);
    tcn_socks_close(&r->way);
    assert_null(r->way);
    expect_end(r->theirs);
    expect_end(r->ours);
}

static void test_closed_while_asking(void **state)
{
    rig *r = *state;
    begin(r, "b:1");
    expect(r->theirs, greeting, sizeof(greeting));
    tcn_socks_close(&r->way);
    expect_end(r->theirs);
    expect_end(r->ours);
}

static void test_closed_before_use(void **state)
{
    rig *r = *state;
    assert_int_equal(tcn_socks_open(r->proxy, "b:1", &r->way, NULL), TCN_OK);
    tcn_socks_close(&r->way);
    assert_null(r->way);
}

/* Another process that found the name gets nothing, and is not in the way. */
static void test_strangers(void **state)
{
    rig *r = *state;
    int status = 0;
    assert_int_equal(tcn_socks_open(r->proxy, "b:1", &r->way, NULL), TCN_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t byte;
        _exit(recv(connect_to(r->way), &byte, 1, 0) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    r->ours = connect_to(r->way);
    r->theirs = limited(accept(r->listener, NULL, NULL));
    expect(r->theirs, greeting, sizeof(greeting));
}

/* ---- much ---- */

static uint8_t byte_at(size_t at, int salt)
{
    return (uint8_t)(at * 31 + (at >> 11) + (size_t)salt);
}

static size_t push(int fd, size_t at, int salt)
{
    uint8_t piece[4096];
    size_t len = LARGE - at < sizeof(piece) ? LARGE - at : sizeof(piece);
    for (size_t i = 0; i < len; i++)
        piece[i] = byte_at(at + i, salt);
    ssize_t n = send(fd, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static size_t pull(int fd, size_t at, int salt)
{
    uint8_t piece[8192];
    ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++)
        if (piece[i] != byte_at(at + (size_t)i, salt))
            fail_msg("byte %zu is wrong", at + (size_t)i);
    return n > 0 ? (size_t)n : 0;
}

static void test_much_both_ways_at_once(void **state)
{
    rig *r = *state;
    size_t up_sent = 0, up_got = 0, down_sent = 0, down_got = 0;
    open_way(r);
    while (up_got < LARGE || down_got < LARGE) {
        struct pollfd set[2] = {
            {.fd = r->ours, .events = (short)(POLLIN | (up_sent < LARGE ? POLLOUT : 0))},
            {.fd = r->theirs, .events = (short)(POLLIN | (down_sent < LARGE ? POLLOUT : 0))}};
        assert_true(poll(set, 2, LIMIT_S * 1000) > 0);
        if (up_sent < LARGE && (set[0].revents & POLLOUT) != 0)
            up_sent += push(r->ours, up_sent, 1);
        if (down_sent < LARGE && (set[1].revents & POLLOUT) != 0)
            down_sent += push(r->theirs, down_sent, 2);
        if ((set[0].revents & POLLIN) != 0)
            down_got += pull(r->ours, down_got, 2);
        if ((set[1].revents & POLLIN) != 0)
            up_got += pull(r->theirs, up_got, 1);
    }
    assert_int_equal(up_got, LARGE);
    assert_int_equal(down_got, LARGE);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(test_by_name),
        RIGGED(test_by_ipv4),
        RIGGED(test_by_ipv6),
        RIGGED(test_reply_with_a_name),
        RIGGED(test_no_such_host),
        RIGGED(test_unknown_refusal),
        RIGGED(test_login),
        RIGGED(test_not_socks),
        RIGGED(test_not_socks_later),
        RIGGED(test_proxy_goes),
        RIGGED(test_nobody_there),
        RIGGED(test_last_words_arrive),
        RIGGED(test_closed_while_open),
        RIGGED(test_closed_while_asking),
        RIGGED(test_closed_before_use),
        RIGGED(test_strangers),
        RIGGED(test_much_both_ways_at_once),
        cmocka_unit_test(test_not_host_port),
        cmocka_unit_test(test_nothing_to_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
