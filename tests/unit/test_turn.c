/* SPDX-License-Identifier: Apache-2.0 */
/* Commit, then speak: what a turn does with a batch when the store takes it, when it does not, and
 * when the disk is broken. A toy core of numbers stands in for the real ones. */
#include "libtocsin/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

/* The store counts; the core writes down what happened, in one line of letters. */
typedef struct {
    char log[128];
    size_t len;
    tcn_err begin_err, commit_err; /* every begin and commit */
    tcn_err apply_err[MOST];       /* input i */
    size_t commit_fails;           /* commit_err so often only; 0: always */
    size_t commits_failed;
    size_t most_in_transaction; /* more applies than that: TCN_FULL */
    bool urgent[MOST];
    size_t applied; /* in the open transaction */
    bool open;
} toy;

static void note(toy *t, char what)
{
    assert_true(t->len < sizeof(t->log) - 1);
    t->log[t->len++] = what;
}

static tcn_err toy_begin(void *self, tcn_txn_kind kind)
{
    toy *t = self;
    assert_false(t->open);
    assert_int_equal(kind, TCN_TXN_WRITE);
    t->applied = 0;
    if (t->begin_err == TCN_OK)
        t->open = true;
    note(t, '(');
    return t->begin_err;
}

static tcn_err toy_commit(void *self)
{
    toy *t = self;
    assert_true(t->open);
    tcn_err err = t->commit_err;
    if (err != TCN_OK && t->commit_fails > 0 && t->commits_failed++ >= t->commit_fails)
        err = TCN_OK;
    if (err == TCN_OK)
        t->open = false;
    note(t, err == TCN_OK ? ')' : '!');
    return err;
}

static void toy_abort(void *self)
{
    toy *t = self;
    t->open = false;
    note(t, 'x');
}

static tcn_err toy_apply(void *core, size_t i)
{
    toy *t = core;
    assert_true(t->open);
    note(t, (char)('0' + i));
    t->applied++;
    if (t->most_in_transaction > 0 && t->applied > t->most_in_transaction)
        return TCN_FULL;
    return t->apply_err[i];
}

static void toy_settle(void *core)
{
    toy *t = core;
    assert_false(t->open); /* nothing is said before the commit */
    note(t, 's');
}

static void toy_discard(void *core)
{
    note(core, 'd');
}

static void toy_refuse(void *core, size_t i, tcn_err err)
{
    toy *t = core;
    assert_false(t->open);
    assert_int_not_equal(err, TCN_OK);
    note(t, 'R');
    note(t, (char)('0' + i));
}

static bool toy_is_urgent(void *core, size_t i)
{
    toy *t = core;
    return t->urgent[i];
}

static tcn_err run(toy *t, size_t count, bool *ret_replayed)
{
    static const tcn_store_ops store_ops = {
        .begin = toy_begin, .commit = toy_commit, .abort = toy_abort};
    static const tcn_turn_ops ops = {.apply = toy_apply,
                                     .settle = toy_settle,
                                     .discard = toy_discard,
                                     .refuse = toy_refuse,
                                     .is_urgent = toy_is_urgent};
    tcn_store store = {.ops = &store_ops, .self = t};
    return tcn_turn_run(&ops, t, &store, count, ret_replayed);
}

static void expect(toy *t, size_t count, tcn_err err, bool replayed, const char *log)
{
    bool was_replayed = !replayed;
    assert_int_equal(run(t, count, &was_replayed), err);
    assert_string_equal(t->log, log);
    assert_int_equal(was_replayed, replayed);
    assert_false(t->open);
}

static void test_batch_is_one_transaction(void **state)
{
    (void)state;
    toy t = {.len = 0};
    expect(&t, 3, TCN_OK, false, "(012)s");
}

static void test_empty_batch_settles_without_a_transaction(void **state)
{
    (void)state;
    toy t = {.len = 0};
    expect(&t, 0, TCN_OK, false, "s");
}

static void test_full_batch_is_replayed_urgent_first(void **state)
{
    (void)state;
    toy t = {.most_in_transaction = 2, .urgent = {[2] = true}};
    expect(&t, 3, TCN_OK, true, "(012xd(2)s(0)s(1)s");
}

static void test_the_input_that_fails_alone_is_refused(void **state)
{
    (void)state;
    toy t = {.apply_err = {[1] = TCN_FULL}};
    expect(&t, 3, TCN_OK, true, "(01xd(0)s(1xdR1s(2)s");
}

static void test_a_single_failing_input_is_not_tried_twice(void **state)
{
    (void)state;
    toy t = {.apply_err = {[0] = TCN_NO_MEMORY}};
    expect(&t, 1, TCN_OK, false, "(0xdR0s");
}

static void test_a_single_emergency_gets_a_second_try_in_a_full_store(void **state)
{
    (void)state;
    toy fails = {.commit_err = TCN_FULL, .urgent = {[0] = true}};
    expect(&fails, 1, TCN_OK, true, "(0!xd(0!xdR0s");
    toy helped = {.commit_err = TCN_FULL, .commit_fails = 1, .urgent = {[0] = true}};
    expect(&helped, 1, TCN_OK, true, "(0!xd(0)s");
    toy bulk = {.commit_err = TCN_FULL, .commit_fails = 1};
    expect(&bulk, 1, TCN_OK, false, "(0!xdR0s");
}

static void test_full_at_commit_replays_and_refuses(void **state)
{
    (void)state;
    toy t = {.commit_err = TCN_FULL};
    expect(&t, 2, TCN_OK, true, "(01!xd(0!xdR0s(1!xdR1s");
}

static void test_broken_disk_says_nothing(void **state)
{
    (void)state;
    toy at_commit = {.commit_err = TCN_IO};
    expect(&at_commit, 2, TCN_IO, false, "(01!xd");
    toy at_apply = {.apply_err = {[1] = TCN_IO}};
    expect(&at_apply, 3, TCN_IO, false, "(01xd");
    toy at_begin = {.begin_err = TCN_IO};
    expect(&at_begin, 2, TCN_IO, false, "(xd");
}

static void test_broken_disk_in_the_replay_ends_it(void **state)
{
    (void)state;
    toy t = {.most_in_transaction = 1, .apply_err = {[1] = TCN_IO}};
    expect(&t, 3, TCN_IO, true, "(01xd(0)s(1xd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_is_one_transaction),
        cmocka_unit_test(test_empty_batch_settles_without_a_transaction),
        cmocka_unit_test(test_full_batch_is_replayed_urgent_first),
        cmocka_unit_test(test_the_input_that_fails_alone_is_refused),
        cmocka_unit_test(test_a_single_failing_input_is_not_tried_twice),
        cmocka_unit_test(test_a_single_emergency_gets_a_second_try_in_a_full_store),
        cmocka_unit_test(test_full_at_commit_replays_and_refuses),
        cmocka_unit_test(test_broken_disk_says_nothing),
        cmocka_unit_test(test_broken_disk_in_the_replay_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
