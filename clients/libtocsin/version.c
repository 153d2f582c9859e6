/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - the version of the library that is linked. */
#include "tocsin/version.h"

const char *tocsin_version(void)
{
    return TOCSIN_VERSION;
}
