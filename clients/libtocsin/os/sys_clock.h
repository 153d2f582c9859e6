/* SPDX-License-Identifier: Apache-2.0 */
/* sys_clock.h - the clock port on the kernel's clocks. Threads: any. */
#ifndef TCN_OS_SYS_CLOCK_H
#define TCN_OS_SYS_CLOCK_H

#include "libtocsin/ports.h"

/* Wall: CLOCK_REALTIME. Mono: CLOCK_BOOTTIME, which goes on while the machine sleeps, so that a
 * deadline that passed meanwhile is due when it wakes. */
tcn_clock tcn_sys_clock(void);

#endif
