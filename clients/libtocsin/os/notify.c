/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h. */
#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libtocsin/text.h"

#define STATUS_SIZE 256

/* A path, or "@name" for an abstract socket; other kinds (vsock) are for virtual machines. */
static bool set_address(tcn_notify *notify, const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || name[1] == '\0' ||
        len >= sizeof notify->address.sun_path) {
        return false;
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, len + 1);
    if (name[0] == '@') {
        notify->address.sun_path[0] = '\0';
    }
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static uint64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end;
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    unsigned long long value = strtoull(usec, &end, 10);
    return *usec == '\0' || *usec == '-' || *end != '\0' ? 0 : value / 1000;
}

void tcn_notify_init(tcn_notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *notify = (tcn_notify){.fd = -1};
    if (name && set_address(notify, name)) {
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (notify->fd >= 0) {
        notify->watchdog_ms = watchdog_ms();
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void tcn_notify_fini(tcn_notify *notify)
{
    if (notify->fd >= 0) {
        (void)close(notify->fd);
        notify->fd = -1;
    }
}

static bool say(const tcn_notify *notify, const char *text)
{
    size_t len = strlen(text);
    return notify->fd >= 0 &&
           sendto(notify->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&notify->address, notify->address_len) == (ssize_t)len;
}

/* A line break in status would begin another assignment. */
static bool say_with_status(const tcn_notify *notify, const char *first, const char *status)
{
    char line[STATUS_SIZE], text[STATUS_SIZE + 64];
    (void)tcn_text_line(tcn_bytes_str(status), line, sizeof line);
    (void)snprintf(text, sizeof text, "%sSTATUS=%s", first, line);
    return say(notify, text);
}

bool tcn_notify_ready(const tcn_notify *notify, const char *status)
{
    return status ? say_with_status(notify, "READY=1\n", status) : say(notify, "READY=1");
}

bool tcn_notify_status(const tcn_notify *notify, const char *status)
{
    return say_with_status(notify, "", status);
}

bool tcn_notify_reloading(const tcn_notify *notify)
{
    char text[80];
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* systemd wants this clock, Type=notify-reload */
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return say(notify, text);
}

bool tcn_notify_stopping(const tcn_notify *notify)
{
    return say(notify, "STOPPING=1");
}

bool tcn_notify_watchdog(const tcn_notify *notify)
{
    return say(notify, "WATCHDOG=1");
}
