/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/temp_dir.h"

/* Stands for systemd. name is a path, or begins with '@'. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    assert_true(len < sizeof address.sun_path);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void assert_heard(int fd, const char *expected)
{
    char text[1000];
    ssize_t len = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[len > 0 ? len : 0] = '\0';
    assert_string_equal(text, expected);
}

static void says_all(const char *name)
{
    tcn_notify notify;
    char text[1000];
    int fd = listen_at(name);
    assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
    tcn_notify_init(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_int_equal(notify.watchdog_ms, 30000);
    assert_true(tcn_notify_ready(&notify, "12 nodes"));
    assert_heard(fd, "READY=1\nSTATUS=12 nodes");
    assert_true(tcn_notify_ready(&notify, NULL));
    assert_heard(fd, "READY=1");
    assert_true(tcn_notify_status(&notify, "disk full\nMAINPID=1"));
    assert_heard(fd, "STATUS=disk full MAINPID=1");
    assert_true(tcn_notify_watchdog(&notify));
    assert_heard(fd, "WATCHDOG=1");
    assert_true(tcn_notify_reloading(&notify));
    assert_true(recv(fd, text, sizeof text, MSG_DONTWAIT) > 0);
    assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    assert_true(tcn_notify_stopping(&notify));
    assert_heard(fd, "STOPPING=1");
    (void)close(fd);
    assert_false(tcn_notify_status(&notify, "nobody listens"));
    tcn_notify_fini(&notify);
    tcn_notify_fini(&notify);
    assert_false(tcn_notify_watchdog(&notify));
}

static void test_path(void **state)
{
    says_all(TEMP_PATH(*state, "notify"));
}

static void test_abstract(void **state)
{
    char name[100];
    (void)state;
    (void)snprintf(name, sizeof name, "@tocsin-test-%ld", (long)getpid());
    says_all(name);
}

static void test_nobody(void **state)
{
    static const char *const names[] = {"", "relative", "@", "/", "vsock:2:1234"};
    tcn_notify notify;
    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
    tcn_notify_init(&notify);
    assert_int_equal(notify.fd, -1);
    assert_int_equal(notify.watchdog_ms, 0);
    assert_false(tcn_notify_ready(&notify, "x"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        tcn_notify_init(&notify);
        assert_int_equal(notify.fd, -1);
    }
    char name[200];
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    tcn_notify_init(&notify);
    assert_int_equal(notify.fd, -1);
}

static uint64_t watchdog_of(const char *usec, const char *pid)
{
    tcn_notify notify;
    assert_int_equal(setenv("NOTIFY_SOCKET", "@tocsin-test-none", 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", usec, 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    tcn_notify_init(&notify);
    tcn_notify_fini(&notify);
    return notify.watchdog_ms;
}

static void test_watchdog_is_for_us(void **state)
{
    char us[24], other[24];
    (void)state;
    (void)snprintf(us, sizeof us, "%ld", (long)getpid());
    (void)snprintf(other, sizeof other, "%ld", (long)getppid());
    assert_int_equal(watchdog_of("2500000", us), 2500);
    assert_int_equal(watchdog_of("2500000", other), 0);
    assert_int_equal(watchdog_of("", us), 0);
    assert_int_equal(watchdog_of("-5", us), 0);
    assert_int_equal(watchdog_of("soon", us), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_path),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_watchdog_is_for_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
