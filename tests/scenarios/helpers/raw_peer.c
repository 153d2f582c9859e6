/* SPDX-License-Identifier: Apache-2.0 */
/* raw_peer.c - speaks frames, good or bad, to a broker with the keys of a given home.
 * usage: raw_peer [--emergency] [--timeout MS] HOME   with commands on stdin, one a line:
 *   hello | hello-node | ping     a proper frame
 *   send HEX                      these bytes as one frame
 *   zeros N                       a frame of N zero bytes
 *   parts HEX HEX                 a message of two parts
 *   expect WORD                   wait for a frame of this op ("welcome", "error"), else exit 1
 *   expect-closed                 wait until the broker has closed the connection
 *   reconnect                     a new connection
 * stdout: "> BYTES" for what was sent, "< WORD HEX" for each frame received, "closed WHY". */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/client_error.h"
#include "libtocsin/client_link.h"
#include "libtocsin/client_trust.h"
#include "libtocsin/wire.h"

static struct {
    tcn_member_home home;
    void *context;
    tcn_link link;
    tcn_lane endpoint;
    uint64_t timeout_ms;
} peer = {.timeout_ms = 5000};

static _Noreturn void fail(const char *what, const char *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "raw_peer: %s: %s\n", what, why);
    exit(1);
}

static void wait_for(tcn_mono until)
{
    zmq_pollitem_t items[] = {
        {.socket = peer.link.socket, .events = ZMQ_POLLIN},
        {.socket = tcn_monitor_socket(peer.link.monitor), .events = ZMQ_POLLIN}};
    uint64_t now = tcn_now_mono().ms;
    (void)zmq_poll(items, 2, until.ms > now ? (long)(until.ms - now) : 0);
    tcn_link_turn(&peer.link, tcn_now_mono());
}

static void connect_peer(void)
{
    const tcn_link_options options = {.context = peer.context,
                                      .broker = &peer.home.bundle.broker[0],
                                      .endpoint = peer.endpoint,
                                      .secret = &peer.home.keys.secrets.transport,
                                      .timeout_ms = peer.timeout_ms};
    tcn_mono until = {tcn_now_mono().ms + peer.timeout_ms};
    if (tcn_link_start(&peer.link, &options, tcn_now_mono()) != TCN_OK)
        fail("connect", peer.link.why.text);
    while (peer.link.state == TCN_LINK_OPENING && tcn_now_mono().ms < until.ms)
        wait_for(until);
    if (peer.link.state != TCN_LINK_UP)
        fail("connect", peer.link.why.text);
}

static void say(const uint8_t *bytes, size_t len, int flags)
{
    (void)printf("> %zu\n", len);
    if (zmq_send(peer.link.socket, bytes, len, flags | ZMQ_DONTWAIT) < 0)
        (void)printf("not sent: %s\n", zmq_strerror(zmq_errno()));
}

static void say_wire(const tcn_wire *wire)
{
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    size_t len = 0;
    if (tcn_wire_encode(wire, frame, sizeof(frame), &len) != TCN_OK)
        fail("encode", tcn_op_word(wire->op));
    say(frame, len, 0);
}

static void say_hello(tcn_mode mode)
{
    const tcn_wire hello = {.op = TCN_OP_HELLO,
                            .hello = {.versions = 1,
                                      .version = {TCN_PROTOCOL_VERSION},
                                      .mode = mode,
                                      .instance = {{1, 2, 3}},
                                      .trust_version = peer.home.bundle.version,
                                      .software = tcn_bytes_str("raw_peer")}};
    say_wire(&hello);
}

/* Bytes of a hex word, in memory to free. */
static uint8_t *unhex(const char *hex, size_t *ret_len)
{
    size_t len = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *bytes = malloc(len + 1);
    if (hex == NULL || bytes == NULL || tcn_unhex(hex, bytes, len) != TCN_OK)
        fail("hex", hex != NULL ? hex : "missing");
    *ret_len = len;
    return bytes;
}

static void say_hex(const char *hex, int flags)
{
    size_t len = 0;
    uint8_t *bytes = unhex(hex, &len);
    say(bytes, len, flags);
    free(bytes);
}

static void say_zeros(const char *count)
{
    size_t len = count != NULL ? strtoul(count, NULL, 10) : 0;
    uint8_t *bytes = calloc(1, len + 1);
    if (bytes == NULL)
        fail("zeros", "out of memory");
    say(bytes, len, 0);
    free(bytes);
}

/* The word of the next frame, printed; NULL when the connection is closed or time is over. */
static const char *next_word(tcn_mono until)
{
    tcn_bytes frame;
    while (tcn_link_receive(&peer.link, &frame, tcn_now_mono()) != TCN_OK) {
        if (peer.link.state != TCN_LINK_UP || tcn_now_mono().ms >= until.ms)
            return NULL;
        wait_for(until);
    }
    tcn_wire wire;
    char *hex = malloc(2 * frame.len + 1);
    if (hex == NULL)
        fail("receive", "out of memory");
    tcn_hex(frame.ptr, frame.len, hex);
    const char *word = tcn_wire_decode(frame, &wire) == TCN_OK ? tcn_op_word(wire.op) : "malformed";
    (void)printf("< %s %s\n", word, hex);
    free(hex);
    return word;
}

static void expect(const char *wanted)
{
    tcn_mono until = {tcn_now_mono().ms + peer.timeout_ms};
    const char *word;
    while ((word = next_word(until)) != NULL)
        if (wanted != NULL && strcmp(word, wanted) == 0)
            return;
    fail("expected", wanted != NULL ? wanted : "what?");
}

static void expect_closed(void)
{
    tcn_mono until = {tcn_now_mono().ms + peer.timeout_ms};
    while (next_word(until) != NULL) {
    }
    if (peer.link.state != TCN_LINK_FAILED)
        fail("expected", "the connection to be closed");
    (void)printf("closed %s\n", peer.link.why.text);
}

static void obey(char *line)
{
    char *save = NULL;
    const char *word = strtok_r(line, " \n", &save), *arg = strtok_r(NULL, " \n", &save);
    if (word == NULL || word[0] == '#')
        return;
    if (strcmp(word, "hello") == 0) {
        say_hello(TCN_MODE_CLIENT);
    } else if (strcmp(word, "hello-node") == 0) {
        say_hello(TCN_MODE_NODE);
    } else if (strcmp(word, "ping") == 0) {
        say_wire(&(tcn_wire){.op = TCN_OP_PING});
    } else if (strcmp(word, "send") == 0) {
        say_hex(arg, 0);
    } else if (strcmp(word, "zeros") == 0) {
        say_zeros(arg);
    } else if (strcmp(word, "parts") == 0) {
        say_hex(arg, ZMQ_SNDMORE);
        say_hex(strtok_r(NULL, " \n", &save), 0);
    } else if (strcmp(word, "expect") == 0) {
        expect(arg);
    } else if (strcmp(word, "expect-closed") == 0) {
        expect_closed();
    } else if (strcmp(word, "reconnect") == 0) {
        connect_peer();
    } else {
        fail("no such command", word);
    }
}

int main(int argc, char **argv)
{
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--emergency") == 0)
            peer.endpoint = TCN_LANE_EMERGENCY;
        else if (strcmp(argv[at], "--timeout") == 0 && at + 1 < argc)
            peer.timeout_ms = strtoul(argv[++at], NULL, 10);
    }
    tcn_fault fault = {.err = TCN_OK};
    if (at + 1 != argc) {
        (void)fprintf(stderr, "usage: raw_peer [--emergency] [--timeout MS] HOME < COMMANDS\n");
        return 2;
    }
    if (tcn_keys_init() != TCN_OK || tcn_trust_home_open(argv[at], &peer.home, &fault) != TCN_OK ||
        tcn_client_context_ref(&peer.context, &fault) != TCN_OK)
        fail(argv[at], fault.text);
    connect_peer();
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        obey(line);
        (void)fflush(stdout);
    }
    free(line);
    tcn_link_stop(&peer.link);
    tcn_client_context_unref(&peer.context);
    tcn_member_home_fini(&peer.home);
    return 0;
}
