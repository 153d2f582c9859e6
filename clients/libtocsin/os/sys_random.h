/* SPDX-License-Identifier: Apache-2.0 */
/* sys_random.h - the random port on the kernel's generator, through libsodium. Threads: any. */
#ifndef TCN_OS_SYS_RANDOM_H
#define TCN_OS_SYS_RANDOM_H

#include "libtocsin/ports.h"

/* TCN_IO: the system has no source of randomness that may be trusted. */
TCN_CHECKED tcn_err tcn_sys_random(tcn_random *ret_random);

#endif
