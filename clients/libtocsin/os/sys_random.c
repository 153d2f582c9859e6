/* SPDX-License-Identifier: Apache-2.0 */
/* sys_random.c - see sys_random.h. */
#include "sys_random.h"

#include <sodium.h>

static void fill(void *self, void *ret_bytes, size_t len)
{
    (void)self;
    randombytes_buf(ret_bytes, len);
}

tcn_err tcn_sys_random(tcn_random *ret_random)
{
    if (sodium_init() < 0) {
        return TCN_IO;
    }
    *ret_random = (tcn_random){fill, NULL};
    return TCN_OK;
}
