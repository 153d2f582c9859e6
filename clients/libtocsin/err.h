/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - why something failed, in the few causes a caller acts on.
 * zmq, LMDB and errno codes are translated in the one module that owns that library. */
#ifndef TCN_ERR_H
#define TCN_ERR_H

#include <stddef.h>
#include <stdint.h>

#define TCN_CHECKED __attribute__((warn_unused_result))

/* X(name, wire number, word, sentence). The number is what ERROR frames carry (docs/protocol.md);
 * numbers are never reused. */
#define TCN_ERR_TABLE(X)                                                                           \
    X(OK, 0, "ok", "done")                                                                         \
    X(MALFORMED, 1, "malformed", "the bytes are not what the format demands")                      \
    X(TOO_LARGE, 2, "too-large", "a size or count is above its limit")                             \
    X(NOT_FOUND, 3, "not-found", "there is no such thing, or it is not yours to see")              \
    X(DENIED, 4, "denied", "the member may not do this")                                           \
    X(BAD_SIGNATURE, 5, "bad-signature", "a signature does not verify")                            \
    X(UNKNOWN_KEY, 6, "unknown-key", "the key is not in the trust that is held")                   \
    X(EXPIRED, 7, "expired", "its validity is over")                                               \
    X(TOO_EARLY, 8, "too-early", "its validity has not begun")                                     \
    X(CONFLICT, 9, "conflict", "the id is taken by different content")                             \
    X(STALE, 10, "stale", "the trust version held is too old")                                     \
    X(WRONG_PROGRAM, 11, "wrong-program", "it belongs to another program")                         \
    X(WRONG_TYPE, 12, "wrong-type", "it is another type of object")                                \
    X(WRONG_ROLE, 13, "wrong-role", "the member does not have the role")                           \
    X(TOPIC_DENIED, 14, "topic-denied", "the topic is not granted")                                \
    X(TLP_DENIED, 15, "tlp-denied", "the TLP is above what is granted")                            \
    X(REVOKED, 16, "revoked", "the member or key is revoked")                                      \
    X(HASH_MISMATCH, 17, "hash-mismatch", "the bytes do not have the hash that was signed")        \
    X(FULL, 18, "full", "there is no room")                                                        \
    X(BUSY, 19, "busy", "too much is under way; try again")                                        \
    X(IO, 20, "io", "the disk or the operating system failed")                                     \
    X(NO_MEMORY, 21, "no-memory", "out of memory")                                                 \
    X(TIMEOUT, 22, "timeout", "no answer in time")                                                 \
    X(UNREACHABLE, 23, "unreachable", "nobody answers there")                                      \
    X(INVALID, 24, "invalid", "an argument or a setting is not acceptable")                        \
    X(PERMISSIONS, 25, "permissions", "a file is readable by others, or not by us")                \
    X(IN_USE, 26, "in-use", "another process has it")                                              \
    X(NOT_DELIVERABLE, 27, "not-deliverable", "it is held: something it needs is missing")         \
    X(VERSION, 28, "version", "no protocol version in common")                                     \
    X(CANNOT_YET, 29, "cannot-yet", "it cannot be decided before newer trust arrives")             \
    X(VOIDED, 30, "voided", "it was accepted after its publisher's key was compromised")           \
    X(NOBODY, 31, "nobody", "no node is entitled")

typedef enum {
#define X(name, number, word, sentence) TCN_##name = number,
    TCN_ERR_TABLE(X)
#undef X
} tcn_err;

/* One lower-case word ("bad-signature"), for logs and JSON; "unknown-error" outside the table. */
const char *tcn_err_word(tcn_err err);
/* The sentence of the table, for people. */
const char *tcn_err_text(tcn_err err);
/* The error with this wire number; TCN_MALFORMED for a number not in the table. */
tcn_err tcn_err_from_wire(uint64_t number);

/* What a person is told: cause and remedy. Filled by whoever first knows, passed up unchanged. */
typedef struct {
    tcn_err err;
    char text[256]; /* UTF-8, NUL-terminated, one line, neutralised (text.h) */
} tcn_fault;

/* Sets err and the formatted text (truncated to fit) and returns err, so that
 * `return tcn_fault_set(f, TCN_DENIED, "...")` works. fault may be NULL. */
tcn_err tcn_fault_set(tcn_fault *fault, tcn_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For programmer errors only; stays on in release. Network input, disk content, plugins and
 * out-of-memory never reach it. */
#define TCN_REQUIRE(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            tcn_require_failed(#condition, __FILE__, __LINE__);                                    \
    } while (0)
_Noreturn void tcn_require_failed(const char *condition, const char *file, int line);

#endif
