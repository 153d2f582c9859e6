/* SPDX-License-Identifier: Apache-2.0 */
/* os/curve.h - moved up: the client API, part of the library, makes CURVE sockets, too. */
#ifndef TCN_OS_CURVE_H
#define TCN_OS_CURVE_H

#include "../curve.h"

#endif
