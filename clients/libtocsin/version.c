/* SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/version.h"

const char *tocsin_version(void)
{
    return TOCSIN_VERSION;
}
