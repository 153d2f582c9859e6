/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/hex.h"
#include "tests/support/temp_dir.h"

static const tcn_bytes nothing = {NULL, 0};

/* ---- messages ---- */

static void test_request_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t len;
    tcn_local_request request = {.op = TCN_LOCAL_SHOW, .req = 7, .args = HEX("a1016161")}, again;
    assert_int_equal(tcn_local_request_encode(&request, bytes, sizeof(bytes), &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(bytes, len), HEX("830307a1016161")));
    assert_int_equal(tcn_local_request_decode(tcn_bytes_of(bytes, len), &again), TCN_OK);
    assert_int_equal(again.op, TCN_LOCAL_SHOW);
    assert_int_equal(again.req, 7);
    assert_true(tcn_bytes_equal(again.args, HEX("a1016161")));
}

static void test_request_without_arguments_has_an_empty_map(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t len;
    tcn_local_request request = {.op = TCN_LOCAL_STATUS, .req = 1, .args = nothing};
    assert_int_equal(tcn_local_request_encode(&request, bytes, sizeof(bytes), &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(bytes, len), HEX("830101a0")));
}

static void test_request_decode_refuses(void **state)
{
    (void)state;
    tcn_bytes bad[] = {
        HEX(""),           HEX("80"),         HEX("820101"),     HEX("840101a000"), HEX("83010180"),
        HEX("83010101"),   HEX("830101a0ff"), HEX("8301"),       HEX("a0"),         HEX("832001a0"),
        HEX("83016161a0"), HEX("830101bf"),   HEX("83180101a0"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcn_local_request request = {.op = 99};
        assert_int_not_equal(tcn_local_request_decode(bad[i], &request), TCN_OK);
        assert_int_equal(request.op, 99); /* outputs only on success */
    }
}

static void test_request_encode_says_when_it_does_not_fit(void **state)
{
    (void)state;
    uint8_t bytes[4];
    size_t len;
    tcn_local_request request = {.op = TCN_LOCAL_SHOW, .req = 7, .args = HEX("a1016161")};
    assert_int_equal(tcn_local_request_encode(&request, bytes, sizeof(bytes), &len), TCN_TOO_LARGE);
}

static void test_reply_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t len;
    tcn_local_reply reply = {.req = 2,
                             .error = TCN_NOT_FOUND,
                             .items = 2,
                             .raw = HEX("a0a10102"),
                             .more = true,
                             .text = tcn_bytes_str("no")},
                    again;
    assert_int_equal(tcn_local_reply_encode(&reply, bytes, sizeof(bytes), &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(bytes, len), HEX("85020382a0a10102f5626e6f")));
    assert_int_equal(tcn_local_reply_decode(tcn_bytes_of(bytes, len), &again), TCN_OK);
    assert_int_equal(again.req, 2);
    assert_int_equal(again.error, TCN_NOT_FOUND);
    assert_int_equal(again.items, 2);
    assert_true(tcn_bytes_equal(again.raw, HEX("a0a10102")));
    assert_true(again.more);
    assert_true(tcn_bytes_equal(again.text, tcn_bytes_str("no")));
}

static void test_reply_decode_refuses(void **state)
{
    (void)state;
    tcn_bytes bad[] = {
        HEX(""),
        HEX("84010080f4"),
        HEX("8501008101f460"),   /* an item that is no map */
        HEX("85010081a0f46100"), /* a NUL in the text */
        HEX("85010082a0f460"),   /* one item less than said */
        HEX("85010080f4607f"),
        HEX("850100800060"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcn_local_reply reply;
        assert_int_not_equal(tcn_local_reply_decode(bad[i], &reply), TCN_OK);
    }
}

static void test_reply_text_is_bounded(void **state)
{
    (void)state;
    static char text[TCN_MAX_NOTE_BYTES + 2];
    static uint8_t bytes[TCN_MAX_NOTE_BYTES + 64];
    size_t len;
    memset(text, 'x', TCN_MAX_NOTE_BYTES + 1);
    tcn_local_reply reply = {.req = 1, .text = tcn_bytes_of(text, TCN_MAX_NOTE_BYTES)}, again;
    assert_int_equal(tcn_local_reply_encode(&reply, bytes, sizeof(bytes), &len), TCN_OK);
    assert_int_equal(tcn_local_reply_decode(tcn_bytes_of(bytes, len), &again), TCN_OK);
    reply.text = tcn_bytes_of(text, TCN_MAX_NOTE_BYTES + 1);
    assert_int_equal(tcn_local_reply_encode(&reply, bytes, sizeof(bytes), &len), TCN_TOO_LARGE);
}

/* ---- the stream ---- */

static void test_stream_gives_messages_however_they_are_cut(void **state)
{
    (void)state;
    tcn_bytes all = HEX("00000003616263"
                        "00000000"
                        "0000000164");
    for (size_t step = 1; step <= all.len; step++) {
        tcn_local_stream stream;
        char seen[16] = "";
        size_t at = 0, messages = 0;
        tcn_local_stream_init(&stream);
        while (at < all.len) {
            size_t n = all.len - at < step ? all.len - at : step;
            assert_int_equal(tcn_local_stream_feed(&stream, tcn_bytes_of(all.ptr + at, n)), TCN_OK);
            at += n;
            for (tcn_bytes message; tcn_local_stream_next(&stream, &message) == TCN_OK; messages++)
                (void)strncat(seen, (const char *)message.ptr, message.len);
        }
        assert_int_equal(messages, 3);
        assert_string_equal(seen, "abcd");
        tcn_local_stream_fini(&stream);
    }
}

static void test_stream_refuses_a_length_above_the_limit(void **state)
{
    (void)state;
    tcn_local_stream stream;
    tcn_bytes message;
    tcn_local_stream_init(&stream);
    assert_int_equal(tcn_local_stream_feed(&stream, HEX("00100000")), TCN_OK); /* 1 MiB */
    assert_int_equal(tcn_local_stream_next(&stream, &message), TCN_NOT_FOUND);
    tcn_local_stream_fini(&stream);
    tcn_local_stream_init(&stream);
    assert_int_equal(tcn_local_stream_feed(&stream, HEX("00100001")), TCN_OK);
    assert_int_equal(tcn_local_stream_next(&stream, &message), TCN_TOO_LARGE);
    tcn_local_stream_fini(&stream);
}

static void test_stream_carries_the_largest_message(void **state)
{
    (void)state;
    tcn_local_stream stream;
    tcn_bytes message;
    uint8_t *bytes = calloc(1, TCN_MAX_LOCAL_FRAME_BYTES);
    assert_non_null(bytes);
    tcn_local_stream_init(&stream);
    assert_int_equal(tcn_local_stream_feed(&stream, HEX("00100000")), TCN_OK);
    assert_int_equal(tcn_local_stream_feed(&stream, tcn_bytes_of(bytes, TCN_MAX_LOCAL_FRAME_BYTES)),
                     TCN_OK);
    assert_int_equal(tcn_local_stream_next(&stream, &message), TCN_OK);
    assert_int_equal(message.len, TCN_MAX_LOCAL_FRAME_BYTES);
    tcn_local_stream_fini(&stream);
    free(bytes);
}

/* ---- the client, against an agent of a few bytes ---- */

typedef struct {
    int listener;
    tcn_bytes answer; /* sent after the first request; empty: hang up */
    uint8_t request[256];
    ssize_t request_len;
    pthread_t thread;
} stub_agent;

static void *serve(void *arg)
{
    stub_agent *agent = arg;
    int fd = accept(agent->listener, NULL, NULL);
    agent->request_len = fd >= 0 ? read(fd, agent->request, sizeof(agent->request)) : -1;
    for (tcn_bytes left = agent->answer; fd >= 0 && left.len > 0;) {
        ssize_t n = send(fd, left.ptr, left.len, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        left = tcn_bytes_of(left.ptr + n, left.len - (size_t)n);
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static void stub_begin(stub_agent *agent, const temp_dir *home, tcn_bytes answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = TEMP_PATH(home, "run/agent.sock");
    assert_int_equal(mkdir(TEMP_PATH(home, "run"), 0700), 0);
    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    *agent = (stub_agent){.listener = socket(AF_UNIX, SOCK_STREAM, 0), .answer = answer};
    assert_int_equal(bind(agent->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(agent->listener, 1), 0);
    assert_int_equal(pthread_create(&agent->thread, NULL, serve, agent), 0);
}

static void stub_end(stub_agent *agent)
{
    assert_int_equal(pthread_join(agent->thread, NULL), 0);
    (void)close(agent->listener);
}

static tcn_err ask(const temp_dir *home, tcn_local_reply *ret_reply, tcn_fault *fault)
{
    tcn_local *local;
    tcn_err err = tcn_local_connect(home->path, &local, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_local_send(local, TCN_LOCAL_RESOLVE, HEX("a1016161"), fault);
    if (err == TCN_OK)
        err = tcn_local_receive(local, 20000, ret_reply, fault);
    ret_reply->raw = nothing; /* dies with the connection */
    ret_reply->text = nothing;
    tcn_local_close(&local);
    assert_null(local);
    return err;
}

static void test_client_asks_and_is_answered(void **state)
{
    stub_agent agent;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    /* An answer to an earlier request first: it is passed over. */
    stub_begin(&agent, *state,
               HEX("00000006"
                   "85000080f460"
                   "00000007"
                   "85010081a0f460"));
    assert_int_equal(ask(*state, &reply, &fault), TCN_OK);
    assert_int_equal(reply.items, 1);
    stub_end(&agent);
    assert_true(tcn_bytes_equal(tcn_bytes_of(agent.request, (size_t)agent.request_len),
                                HEX("00000007"
                                    "830601a1016161")));
}

static void test_client_hands_on_the_agents_refusal(void **state)
{
    stub_agent agent;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    stub_begin(&agent, *state,
               HEX("0000000b"
                   "85010380f4656e6f7065"
                   "21"));
    assert_int_equal(ask(*state, &reply, &fault), TCN_NOT_FOUND);
    assert_string_equal(fault.text, "nope!");
    stub_end(&agent);
}

static void test_client_says_that_the_agent_hung_up(void **state)
{
    stub_agent agent;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    stub_begin(&agent, *state, nothing);
    assert_int_equal(ask(*state, &reply, &fault), TCN_UNREACHABLE);
    assert_non_null(strstr(fault.text, "hung up"));
    stub_end(&agent);
}

static void test_client_refuses_garbage(void **state)
{
    stub_agent agent;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    stub_begin(&agent, *state,
               HEX("00000002"
                   "ffff"));
    assert_int_equal(ask(*state, &reply, &fault), TCN_MALFORMED);
    stub_end(&agent);
}

static void test_client_gives_up_after_a_silence(void **state)
{
    const temp_dir *home = *state;
    stub_agent agent;
    tcn_local *local;
    tcn_local_reply reply;
    tcn_fault fault = {0};
    stub_begin(&agent, home, nothing);
    assert_int_equal(tcn_local_connect(home->path, &local, &fault), TCN_OK);
    /* Nothing was sent, so the stub says nothing and does not hang up. */
    assert_int_equal(tcn_local_receive(local, 1, &reply, &fault), TCN_TIMEOUT);
    tcn_local_close(&local);
    stub_end(&agent);
}

static void test_client_without_an_agent_says_what_to_do(void **state)
{
    const temp_dir *home = *state;
    tcn_local *local = NULL;
    tcn_fault fault = {0};
    assert_int_equal(tcn_local_connect(home->path, &local, &fault), TCN_UNREACHABLE);
    assert_non_null(strstr(fault.text, "tocsin-agent"));
    assert_null(local);
    tcn_local_close(&local);
}

static void test_client_refuses_a_path_too_long_for_a_socket(void **state)
{
    (void)state;
    char home[200] = "/";
    tcn_local *local = NULL;
    tcn_fault fault = {0};
    memset(home + 1, 'x', sizeof(home) - 2);
    assert_int_equal(tcn_local_connect(home, &local, &fault), TCN_INVALID);
    assert_non_null(strstr(fault.text, "shorter"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_both_ways),
        cmocka_unit_test(test_request_without_arguments_has_an_empty_map),
        cmocka_unit_test(test_request_decode_refuses),
        cmocka_unit_test(test_request_encode_says_when_it_does_not_fit),
        cmocka_unit_test(test_reply_both_ways),
        cmocka_unit_test(test_reply_decode_refuses),
        cmocka_unit_test(test_reply_text_is_bounded),
        cmocka_unit_test(test_stream_gives_messages_however_they_are_cut),
        cmocka_unit_test(test_stream_refuses_a_length_above_the_limit),
        cmocka_unit_test(test_stream_carries_the_largest_message),
        TEMP_DIR_TEST(test_client_asks_and_is_answered),
        TEMP_DIR_TEST(test_client_hands_on_the_agents_refusal),
        TEMP_DIR_TEST(test_client_says_that_the_agent_hung_up),
        TEMP_DIR_TEST(test_client_refuses_garbage),
        TEMP_DIR_TEST(test_client_gives_up_after_a_silence),
        TEMP_DIR_TEST(test_client_without_an_agent_says_what_to_do),
        cmocka_unit_test(test_client_refuses_a_path_too_long_for_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
