/* SPDX-License-Identifier: Apache-2.0 */
/* curve.c - CURVE sockets with every option set and checked, and names resolved by ourselves. */
#include "curve.h"

#include <errno.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#include "limits.h"

/* In the library since 4.3.0, but libzmq's header shows it to drafts only. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

enum {
    CURVE_OVERHEAD_BYTES = 33, /* RFC 26 MESSAGE: name 8, nonce 8, authenticator 16, flags 1 */
    QUEUE_FRAMES = 256,        /* 86 KiB of libzmq's chunks per connection at most */
    SNDBUF_BYTES = 131072,     /* what a stalled peer can have under way in the kernel */
    BACKLOG = 4096,
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_COUNT = 4,
    CONNECT_TIMEOUT_MS = 10000,
    PROXIED_HANDSHAKE_MS = 15000,
    NEVER_MS = 3600000 /* the owner closes the socket long before */
};

tcn_err tcn_zmq_error(int zmq_errno)
{
    switch (zmq_errno) {
    case 0: return TCN_OK;
    case EADDRINUSE: return TCN_IN_USE;
    case EACCES:
    case EPERM: return TCN_PERMISSIONS;
    case ENOMEM: return TCN_NO_MEMORY;
    case EMFILE:
    case ENFILE: return TCN_FULL;
    case EINVAL:
    case EPROTONOSUPPORT:
    case EADDRNOTAVAIL:
    case ENODEV: return TCN_INVALID;
    case EHOSTUNREACH: return TCN_UNREACHABLE;
    case EAGAIN: return TCN_BUSY;
    default: return TCN_IO;
    }
}

static tcn_err zmq_fault(tcn_fault *fault, const char *what)
{
    int err = zmq_errno();
    return tcn_fault_set(fault, tcn_zmq_error(err), "%s: %s", what, zmq_strerror(err));
}

tcn_err tcn_curve_context(int io_threads, void **ret_context, tcn_fault *fault)
{
    if (!zmq_has("curve"))
        return tcn_fault_set(fault, TCN_INVALID, "this libzmq was built without CURVE");
    void *context = zmq_ctx_new();
    if (context == NULL)
        return zmq_fault(fault, "zmq_ctx_new");
    if (zmq_ctx_set(context, ZMQ_IO_THREADS, io_threads) != 0 ||
        zmq_ctx_set(context, ZMQ_BLOCKY, 0) != 0) {
        tcn_err err = zmq_fault(fault, "setting up libzmq");
        (void)zmq_ctx_term(context);
        return err;
    }
    *ret_context = context;
    return TCN_OK;
}

/* ---- addresses ---- */

static bool parse_port(const char *text, unsigned *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    unsigned long port = strtoul(text, NULL, 10);
    if (port > 65535)
        return false;
    *ret_port = (unsigned)port;
    return true;
}

tcn_err tcn_host_port_parse(const char *text, tcn_host_port *ret_host_port, tcn_fault *fault)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        host++;
        len -= 2;
    }
    tcn_host_port found = {.port = 0};
    bool odd = !brackets && memchr(host, ':', len) != NULL; /* IPv6 needs its brackets */
    for (size_t i = 0; i < len && !odd; i++)
        odd = (unsigned char)host[i] <= ' ' || strchr("/[];,", host[i]) != NULL;
    if (len == 0 || len > TCN_HOST_CHARS || odd || !parse_port(colon + 1, &found.port))
        return tcn_fault_set(fault, TCN_INVALID,
                             "\"%s\" is not host:port; write \"192.0.2.1:7700\", "
                             "\"[2001:db8::1]:7700\" or \"name:7700\"",
                             text);
    memcpy(found.host, host, len);
    *ret_host_port = found;
    return TCN_OK;
}

static void address_text(const char *host, unsigned port, char ret_text[static TCN_ADDRESS_SIZE])
{
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(ret_text, TCN_ADDRESS_SIZE, v6 ? "tcp://[%s]:%u" : "tcp://%s:%u", host, port);
}

/* The number of addresses of family, in the order of the name service. */
static size_t numeric_addresses(const struct addrinfo *list, int family, unsigned port,
                                tcn_address ret_address[TCN_ADDRESSES])
{
    size_t count = 0;
    for (; list != NULL && count < TCN_ADDRESSES; list = list->ai_next) {
        char host[NI_MAXHOST];
        if (list->ai_family != family ||
            getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) != 0 ||
            strlen(host) > TCN_HOST_CHARS)
            continue;
        address_text(host, port, ret_address[count++].text);
    }
    return count;
}

tcn_err tcn_curve_resolve(const char *host_port, tcn_address ret_address[TCN_ADDRESSES],
                          size_t *ret_count, tcn_fault *fault)
{
    tcn_host_port target;
    tcn_err err = tcn_host_port_parse(host_port, &target, fault);
    if (err != TCN_OK)
        return err;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(target.host, NULL, &hints, &list);
    if (rc != 0)
        return tcn_fault_set(fault, TCN_UNREACHABLE,
                             "cannot resolve \"%s\": %s; check the name and the name service",
                             target.host, gai_strerror(rc));
    bool v6_first = list->ai_family == AF_INET6;
    tcn_address found[2][TCN_ADDRESSES];
    size_t count[2];
    count[0] = numeric_addresses(list, v6_first ? AF_INET6 : AF_INET, target.port, found[0]);
    count[1] = numeric_addresses(list, v6_first ? AF_INET : AF_INET6, target.port, found[1]);
    freeaddrinfo(list);

    size_t total = 0;
    for (size_t i = 0; i < TCN_ADDRESSES; i++)
        for (size_t family = 0; family < 2; family++)
            if (i < count[family] && total < TCN_ADDRESSES)
                ret_address[total++] = found[family][i];
    if (total == 0)
        return tcn_fault_set(fault, TCN_UNREACHABLE, "\"%s\" has no IPv6 or IPv4 address",
                             target.host);
    *ret_count = total;
    return TCN_OK;
}

tcn_err tcn_curve_unresolved(const char *host_port, tcn_address *ret_address, tcn_fault *fault)
{
    tcn_host_port target;
    tcn_err err = tcn_host_port_parse(host_port, &target, fault);
    if (err == TCN_OK)
        address_text(target.host, target.port, ret_address->text);
    return err;
}

/* ---- sockets ---- */

typedef struct {
    int option;
    const char *name;
    int value;
} int_option;

static tcn_err set_int(void *socket, const int_option *option, tcn_fault *fault)
{
    if (zmq_setsockopt(socket, option->option, &option->value, sizeof(option->value)) == 0)
        return TCN_OK;
    return zmq_fault(fault, option->name);
}

static tcn_err set_bytes(void *socket, int option, const char *name, tcn_bytes value,
                         tcn_fault *fault)
{
    if (zmq_setsockopt(socket, option, value.ptr, value.len) == 0)
        return TCN_OK;
    return zmq_fault(fault, name);
}

#define OPTION(name, value)                                                                        \
    {                                                                                              \
        ZMQ_##name, "ZMQ_" #name, value                                                            \
    }

static tcn_err set_ints(void *socket, const int_option *options, size_t count, tcn_fault *fault)
{
    tcn_err err = TCN_OK;
    for (size_t i = 0; i < count && err == TCN_OK; i++)
        err = set_int(socket, &options[i], fault);
    return err;
}

/* What both sides have in common. */
static tcn_err harden(void *socket, int queue_frames, tcn_fault *fault)
{
    int queue = queue_frames > 0 ? queue_frames : QUEUE_FRAMES;
    const int_option options[] = {
        OPTION(LINGER, 0),
        OPTION(IPV6, 1),
        OPTION(HANDSHAKE_IVL, TCN_MAX_HANDSHAKE_MS),
        OPTION(SNDHWM, queue),
        OPTION(RCVHWM, queue),
        OPTION(SNDBUF, SNDBUF_BYTES),
        OPTION(TCP_KEEPALIVE, 1),
        OPTION(TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S),
        OPTION(TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S),
        OPTION(TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT),
        OPTION(HEARTBEAT_IVL, 0),
    };
    /* libzmq applies it to the frame as it comes, sealed. */
    int64_t max_bytes = TCN_MAX_FRAME_BYTES + CURVE_OVERHEAD_BYTES;
    tcn_err err = set_ints(socket, options, sizeof(options) / sizeof(options[0]), fault);
    if (err == TCN_OK)
        err = set_bytes(socket, ZMQ_MAXMSGSIZE, "ZMQ_MAXMSGSIZE",
                        tcn_bytes_of(&max_bytes, sizeof(max_bytes)), fault);
    return err;
}

static tcn_err server_options(void *socket, const tcn_curve_server_options *options,
                              tcn_fault *fault)
{
    const int_option ints[] = {
        OPTION(BACKLOG, BACKLOG), OPTION(ROUTER_MANDATORY, 1),   OPTION(ROUTER_HANDOVER, 0),
        OPTION(CURVE_SERVER, 1),  OPTION(ZAP_ENFORCE_DOMAIN, 1),
    };
    tcn_err err = harden(socket, options->queue_frames, fault);
    if (err == TCN_OK)
        err = set_bytes(socket, ZMQ_ZAP_DOMAIN, "ZMQ_ZAP_DOMAIN", tcn_bytes_str(TCN_ZAP_DOMAIN),
                        fault);
    if (err == TCN_OK)
        err = set_ints(socket, ints, sizeof(ints) / sizeof(ints[0]), fault);
    if (err == TCN_OK)
        err = set_bytes(socket, ZMQ_CURVE_SECRETKEY, "ZMQ_CURVE_SECRETKEY",
                        tcn_bytes_of(options->secret->b, sizeof(options->secret->b)), fault);
    return err;
}

tcn_err tcn_curve_server(void *context, const tcn_curve_server_options *options, void **ret_socket,
                         tcn_fault *fault)
{
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (socket == NULL)
        return zmq_fault(fault, "zmq_socket");
    tcn_err err = server_options(socket, options, fault);
    if (err != TCN_OK) {
        tcn_curve_close(&socket);
        return err;
    }
    *ret_socket = socket;
    return TCN_OK;
}

/* libzmq has no question "is there a ZAP handler?": if its address can be bound, there is none. */
static bool has_zap_handler(void *context)
{
    void *probe = zmq_socket(context, ZMQ_PAIR);
    if (probe == NULL)
        return false;
    bool bound = zmq_bind(probe, TCN_ZAP_ENDPOINT) == 0;
    bool taken = !bound && zmq_errno() == EADDRINUSE;
    if (bound) /* closing alone would give the address back later */
        (void)zmq_unbind(probe, TCN_ZAP_ENDPOINT);
    tcn_curve_close(&probe);
    return taken;
}

tcn_err tcn_curve_bind(void *context, void *socket, const char *host_port,
                       char ret_bound[static TCN_ADDRESS_SIZE], tcn_fault *fault)
{
    tcn_host_port local;
    tcn_err err = tcn_host_port_parse(host_port, &local, fault);
    if (err != TCN_OK)
        return err;
    if (!has_zap_handler(context))
        return tcn_fault_set(fault, TCN_DENIED,
                             "not listening on %s: no authentication (ZAP) handler is bound",
                             host_port);
    char address[TCN_ADDRESS_SIZE];
    address_text(local.host, local.port, address);
    if (zmq_bind(socket, address) != 0) {
        int why = zmq_errno();
        return tcn_fault_set(fault, tcn_zmq_error(why), "cannot listen on %s: %s%s", host_port,
                             zmq_strerror(why),
                             why == EADDRINUSE ? "; another process listens there" : "");
    }
    size_t size = sizeof(address);
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address, &size) != 0)
        return zmq_fault(fault, "ZMQ_LAST_ENDPOINT");
    /* libzmq says "[::ffff:192.0.2.1]:7430": only the port is news. */
    const char *colon = strrchr(address, ':');
    if (colon == NULL || !parse_port(colon + 1, &local.port))
        return tcn_fault_set(fault, TCN_IO, "cannot tell the port of %s", host_port);
    address_text(local.host, local.port, address);
    (void)snprintf(ret_bound, TCN_ADDRESS_SIZE, "%s", address + strlen("tcp://"));
    return TCN_OK;
}

static tcn_err client_options(void *socket, const tcn_curve_client_options *options,
                              tcn_fault *fault)
{
    /* libzmq's word for never is -1, but with it frames that came and were not read yet are lost
     * when the connection ends. */
    const int_option ints[] = {
        OPTION(RECONNECT_IVL, options->reconnect_ms > 0 ? options->reconnect_ms : NEVER_MS),
        OPTION(RECONNECT_IVL_MAX, options->reconnect_ms > 0 ? options->reconnect_max_ms : 0),
        OPTION(CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS),
        OPTION(IMMEDIATE, options->queue_while_waiting ? 0 : 1),
    };
    tcn_box_public ours;
    (void)crypto_scalarmult_base(ours.b, options->secret->b);
    tcn_err err = harden(socket, options->queue_frames, fault);
    if (err == TCN_OK)
        err = set_ints(socket, ints, sizeof(ints) / sizeof(ints[0]), fault);
    if (err == TCN_OK)
        err =
            set_bytes(socket, ZMQ_CURVE_SERVERKEY, "ZMQ_CURVE_SERVERKEY",
                      tcn_bytes_of(options->server_key->b, sizeof(options->server_key->b)), fault);
    if (err == TCN_OK)
        err = set_bytes(socket, ZMQ_CURVE_PUBLICKEY, "ZMQ_CURVE_PUBLICKEY",
                        tcn_bytes_of(ours.b, sizeof(ours.b)), fault);
    if (err == TCN_OK)
        err = set_bytes(socket, ZMQ_CURVE_SECRETKEY, "ZMQ_CURVE_SECRETKEY",
                        tcn_bytes_of(options->secret->b, sizeof(options->secret->b)), fault);
    /* libzmq counts from its connection to the way, before the proxy's to the broker. */
    const int_option patience = OPTION(HANDSHAKE_IVL, PROXIED_HANDSHAKE_MS);
    if (err == TCN_OK && options->socks_proxy != NULL && options->socks_proxy[0] != '\0')
        err = set_int(socket, &patience, fault);
    return err;
}

tcn_err tcn_curve_client(void *context, const tcn_curve_client_options *options, void **ret_socket,
                         tcn_fault *fault)
{
    void *socket = zmq_socket(context, ZMQ_DEALER);
    if (socket == NULL)
        return zmq_fault(fault, "zmq_socket");
    tcn_err err = client_options(socket, options, fault);
    if (err != TCN_OK) {
        tcn_curve_close(&socket);
        return err;
    }
    *ret_socket = socket;
    return TCN_OK;
}

void tcn_curve_close(void **socket)
{
    if (*socket == NULL)
        return;
    (void)zmq_close(*socket);
    *socket = NULL;
}
