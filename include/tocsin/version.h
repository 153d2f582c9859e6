/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - which Tocsin this is, and what the shared library exports.
 * The version follows semver.org; the library's SONAME carries the major number. */
#ifndef TOCSIN_VERSION_H
#define TOCSIN_VERSION_H

#define TOCSIN_VERSION_MAJOR 0
#define TOCSIN_VERSION_MINOR 1
#define TOCSIN_VERSION_PATCH 0
#define TOCSIN_VERSION "0.1.0"

/* Everything else in the library is built hidden. */
#define TOCSIN_API __attribute__((visibility("default")))

/* The version of the library that runs, which may be newer than TOCSIN_VERSION that was compiled
 * against. Static text; any thread. */
TOCSIN_API const char *tocsin_version(void);

#endif
