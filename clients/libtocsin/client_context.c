/* SPDX-License-Identifier: Apache-2.0 */
/* client_context.c - the process's one libzmq context, counted. A process that forks with clients
 * open must exec in the child. */
#include "client_link.h"

#include <pthread.h>

enum { MAX_SOCKETS = 16384 }; /* three for each connection */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *shared;
static unsigned users;

static tcn_err make(void **ret_context, tcn_fault *fault)
{
    void *context = NULL;
    tcn_err err = tcn_curve_context(1, &context, fault);
    if (err != TCN_OK)
        return err;
    if (zmq_ctx_set(context, ZMQ_MAX_SOCKETS, MAX_SOCKETS) != 0) {
        (void)zmq_ctx_term(context);
        return tcn_fault_set(fault, TCN_INVALID, "libzmq does not allow %d sockets", MAX_SOCKETS);
    }
    *ret_context = context;
    return TCN_OK;
}

tcn_err tcn_client_context_ref(void **ret_context, tcn_fault *fault)
{
    tcn_err err = TCN_OK;
    (void)pthread_mutex_lock(&lock);
    if (users == 0)
        err = make(&shared, fault);
    if (err == TCN_OK) {
        users++;
        *ret_context = shared;
    }
    (void)pthread_mutex_unlock(&lock);
    return err;
}

void tcn_client_context_unref(void **context)
{
    if (*context == NULL)
        return;
    *context = NULL;
    void *last = NULL;
    (void)pthread_mutex_lock(&lock);
    if (--users == 0) {
        last = shared;
        shared = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
    /* All sockets are closed and none lingers: this returns as soon as libzmq's threads end. */
    if (last != NULL)
        (void)zmq_ctx_term(last);
}
