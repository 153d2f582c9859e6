/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's local socket, with clients in the same thread. */
#include "agent/local_server.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/mem_ports.h"
#include "tests/support/temp_dir.h"

enum { NOBODY = 65534, TURNS = 2000 };

typedef struct {
    temp_dir dir;
    char path[TEMP_DIR_SIZE + 32];
    mem_ports ports;
    tcn_ports all;
    tcn_local_server *server;
    const tcn_agent_input *inputs; /* of the last turn */
    size_t count;
    bool more;
} fixture;

static int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof(*f));
    tcn_fault fault;
    temp_dir_init(&f->dir);
    snprintf(f->path, sizeof(f->path), "%s/run/agent.sock", f->dir.path);
    mem_ports_init(&f->ports, 1);
    f->all = mem_ports_all(&f->ports);
    assert_int_equal(tcn_local_server_new(f->path, NULL, &f->all.clock, &f->server, &fault),
                     TCN_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tcn_local_server_destroy(&f->server);
    tcn_local_server_destroy(&f->server);
    assert_int_equal(access(f->path, F_OK), -1);
    mem_ports_fini(&f->ports);
    temp_dir_fini(&f->dir);
    test_free(f);
    return 0;
}

static int try_connect(const fixture *f)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int join(const fixture *f)
{
    int fd = try_connect(f);
    assert_true(fd >= 0);
    return fd;
}

static void turn(fixture *f)
{
    f->count = tcn_local_server_read(f->server, &f->inputs, &f->more);
}

/* Turns until there is an input, which must be of this kind; the peer is given. */
static tcn_peer expect(fixture *f, tcn_agent_input_kind kind)
{
    for (int i = 0; i < TURNS; i++) {
        turn(f);
        if (f->count > 0) {
            assert_int_equal(f->inputs[0].kind, kind);
            return f->inputs[0].peer;
        }
    }
    fail_msg("no input");
    return 0;
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void put_message(int fd, const char *text)
{
    uint8_t head[4] = {0, 0, 0, (uint8_t)strlen(text)};
    put(fd, head, sizeof(head));
    put(fd, text, strlen(text));
}

static void expect_text(const fixture *f, size_t at, const char *text)
{
    assert_true(at < f->count);
    assert_int_equal(f->inputs[at].kind, TCN_AGENT_LOCAL);
    assert_int_equal(f->inputs[at].frame.len, strlen(text));
    assert_memory_equal(f->inputs[at].frame.ptr, text, strlen(text));
}

/* ---- tests ---- */

static void test_directory_and_socket_are_private(void **state)
{
    const fixture *f = *state;
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    assert_true(S_ISSOCK(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0600);
    char dir[TEMP_DIR_SIZE + 32];
    snprintf(dir, sizeof(dir), "%s/run", f->dir.path);
    assert_int_equal(stat(dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void test_requests_come_whole_and_in_order(void **state)
{
    fixture *f = *state;
    int fd = join(f);
    put_message(fd, "one");
    put_message(fd, "two");
    const uint8_t half[] = {0, 0, 0, 5, 't', 'h'};
    put(fd, half, sizeof(half));
    tcn_peer peer = expect(f, TCN_AGENT_LOCAL);
    assert_true(peer >= TCN_LOCAL_PEER_FIRST);
    assert_int_equal(f->count, 2);
    expect_text(f, 0, "one");
    expect_text(f, 1, "two");
    turn(f);
    assert_int_equal(f->count, 0);
    put(fd, "ree", 3);
    (void)expect(f, TCN_AGENT_LOCAL);
    expect_text(f, 0, "three");
    assert_int_equal(f->inputs[0].peer, peer);
    close(fd);
    assert_int_equal(expect(f, TCN_AGENT_LOCAL_GONE), peer);
    turn(f);
    assert_int_equal(f->count, 0);
}

static void test_the_last_request_comes_before_gone(void **state)
{
    fixture *f = *state;
    int fd = join(f);
    put_message(fd, "bye");
    close(fd);
    (void)expect(f, TCN_AGENT_LOCAL);
    expect_text(f, 0, "bye");
    if (f->count == 1)
        (void)expect(f, TCN_AGENT_LOCAL_GONE);
    else
        assert_int_equal(f->inputs[1].kind, TCN_AGENT_LOCAL_GONE);
}

static void test_a_turn_takes_a_bounded_number(void **state)
{
    fixture *f = *state;
    int fd = join(f);
    for (int i = 0; i < 20; i++)
        put_message(fd, "x");
    (void)expect(f, TCN_AGENT_LOCAL);
    size_t total = f->count;
    assert_true(f->count < 20 && f->more);
    while (f->more) {
        turn(f);
        total += f->count;
    }
    assert_int_equal(total, 20);
    close(fd);
}

static void test_answers_go_to_whom_they_are_for(void **state)
{
    fixture *f = *state;
    int fd[2];
    tcn_peer peer[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = join(f);
        put_message(fd[i], "hello");
        peer[i] = expect(f, TCN_AGENT_LOCAL);
    }
    assert_true(peer[0] != peer[1]);
    assert_int_equal(tcn_local_server_send(f->server, peer[1], tcn_bytes_str("second")), TCN_SENT);
    assert_int_equal(tcn_local_server_send(f->server, peer[0], tcn_bytes_str("first")), TCN_SENT);
    char bytes[32];
    assert_int_equal(recv(fd[0], bytes, sizeof(bytes), 0), 9);
    assert_memory_equal(bytes, "\0\0\0\5first", 9);
    assert_int_equal(recv(fd[1], bytes, sizeof(bytes), 0), 10);
    assert_memory_equal(bytes, "\0\0\0\6second", 10);
    assert_int_equal(tcn_local_server_send(f->server, 999, tcn_bytes_str("x")), TCN_SEND_GONE);
    close(fd[0]);
    assert_int_equal(expect(f, TCN_AGENT_LOCAL_GONE), peer[0]);
    assert_int_equal(tcn_local_server_send(f->server, peer[0], tcn_bytes_str("x")), TCN_SEND_GONE);
    close(fd[1]);
}

static void test_too_long_a_message_hangs_up(void **state)
{
    fixture *f = *state;
    int fd = join(f);
    const uint8_t head[] = {0, 0x10, 0, 1};
    put(fd, head, sizeof(head));
    (void)expect(f, TCN_AGENT_LOCAL_GONE);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static void test_too_many_are_turned_away(void **state)
{
    fixture *f = *state;
    int fd[TCN_MAX_LOCAL_CLIENTS + 1];
    for (int i = 0; i <= TCN_MAX_LOCAL_CLIENTS; i++) {
        fd[i] = join(f);
        turn(f);
    }
    char byte;
    assert_int_equal(recv(fd[TCN_MAX_LOCAL_CLIENTS], &byte, 1, 0), 0);
    assert_int_equal(tcn_local_server_refused(f->server), 1);
    /* A place that became free is taken again. */
    close(fd[0]);
    (void)expect(f, TCN_AGENT_LOCAL_GONE);
    fd[0] = join(f);
    put_message(fd[0], "hello");
    (void)expect(f, TCN_AGENT_LOCAL);
    expect_text(f, 0, "hello");
    for (int i = 0; i <= TCN_MAX_LOCAL_CLIENTS; i++)
        close(fd[i]);
}

/* Sends until it is full. */
static size_t fill(const fixture *f, tcn_peer peer, uint8_t *bytes, size_t len)
{
    size_t sent = 0;
    while (tcn_local_server_send(f->server, peer, tcn_bytes_of(bytes, len)) == TCN_SENT)
        assert_true(++sent < 1000);
    assert_int_equal(tcn_local_server_send(f->server, peer, tcn_bytes_of(bytes, len)),
                     TCN_SEND_FULL);
    return sent;
}

static void test_a_slow_reader_gets_all_or_is_dropped(void **state)
{
    fixture *f = *state;
    enum { LEN = 100000 };
    uint8_t *bytes = test_calloc(1, LEN);
    int fd = join(f);
    put_message(fd, "all");
    tcn_peer peer = expect(f, TCN_AGENT_LOCAL);
    size_t sent = fill(f, peer, bytes, LEN);
    assert_true(sent * LEN >= 2 * 1024 * 1024);
    struct pollfd wants[TCN_LOCAL_SERVER_FDS];
    assert_int_equal(tcn_local_server_fds(f->server, wants), 2);
    assert_int_equal(wants[0].events & POLLOUT, POLLOUT);
    /* It reads slowly: it is kept. */
    size_t total = 0, wanted = sent * (LEN + 4);
    while (total < wanted) {
        ssize_t got = recv(fd, bytes, LEN, MSG_DONTWAIT);
        assert_true(got > 0 || errno == EAGAIN);
        total += got > 0 ? (size_t)got : 0;
        mem_ports_pass(&f->ports, 20000);
        turn(f);
        assert_int_equal(f->count, 0);
    }
    assert_int_equal(total, wanted);
    assert_int_equal(tcn_local_server_deadline(f->server).ms, UINT64_MAX);
    /* It does not read at all: it is dropped. */
    (void)fill(f, peer, bytes, LEN);
    uint64_t now_ms = f->ports.mono.ms;
    assert_int_equal(tcn_local_server_deadline(f->server).ms, now_ms + 30000);
    mem_ports_pass(&f->ports, 29999);
    turn(f);
    assert_int_equal(f->count, 0);
    mem_ports_pass(&f->ports, 1);
    turn(f);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->inputs[0].kind, TCN_AGENT_LOCAL_GONE);
    close(fd);
    test_free(bytes);
}

static void test_close_lets_out_what_was_sent(void **state)
{
    fixture *f = *state;
    int fd = join(f);
    put_message(fd, "bad");
    tcn_peer peer = expect(f, TCN_AGENT_LOCAL);
    assert_int_equal(tcn_local_server_send(f->server, peer, tcn_bytes_str("malformed")), TCN_SENT);
    tcn_local_server_close(f->server, peer);
    assert_int_equal(tcn_local_server_send(f->server, peer, tcn_bytes_str("x")), TCN_SEND_GONE);
    assert_int_equal(tcn_local_server_deadline(f->server).ms, 0);
    put_message(fd, "unheard");
    assert_int_equal(expect(f, TCN_AGENT_LOCAL_GONE), peer);
    char bytes[32];
    assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 13);
    assert_memory_equal(bytes, "\0\0\0\11malformed", 13);
    close(fd);
}

static void test_numbers_are_not_used_again(void **state)
{
    fixture *f = *state;
    tcn_peer before = 0;
    for (int i = 0; i < 5; i++) {
        int fd = join(f);
        put_message(fd, "x");
        tcn_peer peer = expect(f, TCN_AGENT_LOCAL);
        assert_true(peer > before);
        before = peer;
        close(fd);
        (void)expect(f, TCN_AGENT_LOCAL_GONE);
    }
}

static void test_what_a_crash_left_is_replaced(void **state)
{
    fixture *f = *state;
    tcn_local_server *second = NULL;
    tcn_fault fault;
    assert_int_equal(tcn_local_server_new(f->path, NULL, &f->all.clock, &second, &fault), TCN_OK);
    tcn_local_server_destroy(&f->server);
    assert_int_equal(access(f->path, F_OK), -1);
    tcn_local_server_destroy(&second);
}

static void test_bad_places_say_so(void **state)
{
    const fixture *f = *state;
    tcn_local_server *server = NULL;
    tcn_fault fault;
    char path[300];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(tcn_local_server_new(path, NULL, &f->all.clock, &server, &fault), TCN_INVALID);
    assert_non_null(strstr(fault.text, "shorter"));
    assert_int_equal(
        tcn_local_server_new(f->path, "no-such-group-here", &f->all.clock, &server, &fault),
        TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "no-such-group-here"));
    assert_null(server);
}

/* ---- who may ---- */

enum { HEARD, HUNG_UP_ON, NOT_CONNECTED, NO_CHILD };

/* In a child that is another user: asks, and waits for the answer. */
static int ask_as(const fixture *f, uid_t user, gid_t group)
{
    if (setgroups(1, &group) != 0 || setgid(NOBODY) != 0 || setuid(user) != 0)
        return NO_CHILD;
    int fd = try_connect(f);
    if (fd < 0)
        return NOT_CONNECTED;
    static const char request[] = "\0\0\0\2hi";
    char byte;
    (void)send(fd, request, 6, MSG_NOSIGNAL);
    return recv(fd, &byte, 1, 0) == 1 ? HEARD : HUNG_UP_ON;
}

static int outcome_of(fixture *f, uid_t user, gid_t group)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(ask_as(f, user, group));
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd fds[TCN_LOCAL_SERVER_FDS];
        size_t count = tcn_local_server_fds(f->server, fds);
        assert_true(poll(fds, (nfds_t)count, 10) >= 0);
        turn(f);
        for (size_t i = 0; i < f->count; i++)
            if (f->inputs[i].kind == TCN_AGENT_LOCAL)
                (void)tcn_local_server_send(f->server, f->inputs[i].peer, tcn_bytes_str("yes"));
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void open_door(const fixture *f)
{
    char dir[TEMP_DIR_SIZE + 32];
    snprintf(dir, sizeof(dir), "%s/run", f->dir.path);
    assert_int_equal(chmod(f->dir.path, 0755), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(f->path, 0666), 0);
}

static void test_another_user_is_turned_away(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0) {
        print_message("not root: nobody to turn away\n");
        skip();
    }
    assert_int_equal(outcome_of(f, NOBODY, NOBODY), NOT_CONNECTED);
    open_door(f); /* even if the directory were open */
    assert_int_equal(outcome_of(f, NOBODY, NOBODY), HUNG_UP_ON);
    assert_int_equal(tcn_local_server_refused(f->server), 1);
    assert_int_equal(outcome_of(f, 0, NOBODY), HEARD);
}

static void test_the_group_may(void **state)
{
    fixture *f = *state;
    const struct group *group = getgrnam("daemon");
    if (geteuid() != 0 || group == NULL) {
        print_message("not root, or no group to try: nobody to let in\n");
        skip();
    }
    gid_t gid = group->gr_gid;
    tcn_fault fault;
    tcn_local_server_destroy(&f->server);
    assert_int_equal(tcn_local_server_new(f->path, "daemon", &f->all.clock, &f->server, &fault),
                     TCN_OK);
    assert_int_equal(chmod(f->dir.path, 0755), 0);
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    assert_int_equal(info.st_gid, gid);
    assert_int_equal(outcome_of(f, NOBODY, gid), HEARD);
    assert_int_equal(outcome_of(f, NOBODY, NOBODY), NOT_CONNECTED);
    open_door(f);
    assert_int_equal(outcome_of(f, NOBODY, NOBODY), HUNG_UP_ON);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_directory_and_socket_are_private),
        TEST(test_requests_come_whole_and_in_order),
        TEST(test_the_last_request_comes_before_gone),
        TEST(test_a_turn_takes_a_bounded_number),
        TEST(test_answers_go_to_whom_they_are_for),
        TEST(test_too_long_a_message_hangs_up),
        TEST(test_too_many_are_turned_away),
        TEST(test_a_slow_reader_gets_all_or_is_dropped),
        TEST(test_close_lets_out_what_was_sent),
        TEST(test_numbers_are_not_used_again),
        TEST(test_what_a_crash_left_is_replaced),
        TEST(test_bad_places_say_so),
        TEST(test_another_user_is_turned_away),
        TEST(test_the_group_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
