/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mem_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/limits.h"

static tcn_bytes str(const char *text)
{
    return tcn_bytes_str(text);
}

static int setup(void **state)
{
    mem_ports *m = calloc(1, sizeof *m);
    if (!m) {
        return -1;
    }
    mem_ports_init(m, 1);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    mem_ports_fini(*state);
    free(*state);
    return 0;
}

static void begin(const tcn_store *s)
{
    assert_int_equal(s->ops->begin(s->self, TCN_TXN_WRITE), TCN_OK);
}

static void put(const tcn_store *s, const char *key, const char *value)
{
    assert_int_equal(s->ops->put(s->self, str(key), str(value)), TCN_OK);
}

static void commit(const tcn_store *s)
{
    assert_int_equal(s->ops->commit(s->self), TCN_OK);
}

static void assert_entry(const tcn_store *s, const char *key, const char *value)
{
    tcn_bytes found;
    if (!value) {
        assert_int_equal(s->ops->get(s->self, str(key), &found), TCN_NOT_FOUND);
        return;
    }
    assert_int_equal(s->ops->get(s->self, str(key), &found), TCN_OK);
    assert_true(tcn_bytes_equal(found, str(value)));
}

static void test_store_commit_and_abort(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    begin(&s);
    put(&s, "a", "1");
    put(&s, "b", "2");
    put(&s, "a", "3");
    assert_entry(&s, "a", "3");
    commit(&s);
    tcn_hash before = mem_store_digest(m->store);
    begin(&s);
    put(&s, "a", "4");
    put(&s, "c", "5");
    assert_int_equal(s.ops->del(s.self, str("b")), TCN_OK);
    assert_int_equal(s.ops->del(s.self, str("none")), TCN_OK);
    put(&s, "b", "6");
    s.ops->abort(s.self);
    s.ops->abort(s.self); /* fine without begin */
    tcn_hash after = mem_store_digest(m->store);
    assert_true(tcn_hash_equal(&before, &after));
    assert_int_equal(s.ops->begin(s.self, TCN_TXN_READ), TCN_OK);
    assert_entry(&s, "a", "3");
    assert_entry(&s, "b", "2");
    assert_entry(&s, "c", NULL);
    commit(&s);
    assert_int_equal(mem_store_commits(m->store), 1);
}

static void assert_seek(const tcn_store *s, const char *prefix, const char *from, bool backward,
                        const char *expected)
{
    tcn_bytes key, value;
    tcn_err err = s->ops->seek(s->self, str(prefix), str(from), backward, &key, &value);
    if (!expected) {
        assert_int_equal(err, TCN_NOT_FOUND);
        return;
    }
    assert_int_equal(err, TCN_OK);
    assert_true(tcn_bytes_equal(key, str(expected)));
    assert_true(tcn_bytes_equal(value, str(expected)));
}

static void test_store_seek(void **state)
{
    tcn_store s = mem_ports_all(*state).store;
    static const char *const keys[] = {"a", "b1", "b2", "b22", "b3", "c", "\xff", "\xff\xff"};
    begin(&s);
    assert_seek(&s, "", "", false, NULL);
    assert_seek(&s, "", "z", true, NULL);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put(&s, keys[i], keys[i]);
    }
    assert_seek(&s, "", "", false, "a");
    assert_seek(&s, "b", "", false, "b1");
    assert_seek(&s, "b", "b2", false, "b2");
    assert_seek(&s, "b", "b23", false, "b3");
    assert_seek(&s, "b", "b4", false, NULL);
    assert_seek(&s, "b", "c", false, NULL);
    assert_seek(&s, "b2", "a", false, "b2");
    assert_seek(&s, "", "", true, NULL);
    assert_seek(&s, "", "a", true, "a");
    assert_seek(&s, "b", "b", true, NULL);
    assert_seek(&s, "b", "b21", true, "b2");
    assert_seek(&s, "b", "b22", true, "b22");
    assert_seek(&s, "b", "z", true, "b3");
    assert_seek(&s, "b2", "b3", true, "b22");
    assert_seek(&s, "b", "a", true, NULL);
    assert_seek(&s, "\xff", "\xff\xff\xff", true, "\xff\xff");
    assert_seek(&s, "\xff", "\xff", true, "\xff");
    assert_seek(&s, "d", "z", true, NULL);
    s.ops->abort(s.self);
}

/* A thousand entries put and removed in a scrambled order stay in order, both ways. */
static void test_store_many(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    begin(&s);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t key[2] = {(uint8_t)(i * 7 % 1000 >> 8), (uint8_t)(i * 7 % 1000)};
        assert_int_equal(s.ops->put(s.self, tcn_bytes_of(key, 2), str("v")), TCN_OK);
    }
    for (unsigned i = 0; i < 1000; i += 2) {
        uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        assert_int_equal(s.ops->del(s.self, tcn_bytes_of(key, 2)), TCN_OK);
    }
    commit(&s);
    assert_int_equal(mem_store_count(m->store), 500);
    assert_int_equal(s.ops->begin(s.self, TCN_TXN_READ), TCN_OK);
    uint8_t from[3] = {0};
    tcn_bytes at = tcn_bytes_of(from, 1), key, value;
    for (unsigned i = 1; i < 1000; i += 2) {
        assert_int_equal(s.ops->seek(s.self, str(""), at, false, &key, &value), TCN_OK);
        assert_int_equal(key.ptr[0] << 8 | key.ptr[1], i);
        memcpy(from, key.ptr, 2);
        at = tcn_bytes_of(from, 3);
    }
    assert_int_equal(s.ops->seek(s.self, str(""), at, false, &key, &value), TCN_NOT_FOUND);
    commit(&s);
}

static void test_store_sizes(void **state)
{
    tcn_store s = mem_ports_all(*state).store;
    static uint8_t big[TCN_MAX_FRAME_BYTES + 1];
    tcn_bytes found;
    begin(&s);
    assert_int_equal(s.ops->put(s.self, str(""), str("v")), TCN_INVALID);
    assert_int_equal(s.ops->put(s.self, tcn_bytes_of(big, 512), str("v")), TCN_INVALID);
    assert_int_equal(s.ops->put(s.self, tcn_bytes_of(big, 511), str("")), TCN_OK);
    assert_int_equal(s.ops->get(s.self, tcn_bytes_of(big, 511), &found), TCN_OK);
    assert_int_equal(found.len, 0);
    assert_int_equal(s.ops->put(s.self, str("k"), tcn_bytes_of(big, sizeof big)), TCN_TOO_LARGE);
    assert_int_equal(s.ops->put(s.self, str("k"), tcn_bytes_of(big, sizeof big - 1)), TCN_OK);
    commit(&s); /* a refused argument does not poison */
}

static void test_store_faults_poison(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    tcn_bytes found;
    mem_store_fail_write(m->store, 2, TCN_FULL);
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->put(s.self, str("b"), str("2")), TCN_FULL);
    assert_int_equal(s.ops->put(s.self, str("c"), str("3")), TCN_FULL);
    assert_int_equal(s.ops->get(s.self, str("a"), &found), TCN_FULL);
    assert_int_equal(s.ops->del(s.self, str("a")), TCN_FULL);
    assert_int_equal(s.ops->commit(s.self), TCN_FULL);
    s.ops->abort(s.self);
    assert_int_equal(mem_store_count(m->store), 0);
    begin(&s);
    put(&s, "b", "2"); /* the fault happens once */
    commit(&s);
    mem_store_fail_write(m->store, 1, TCN_IO);
    begin(&s);
    assert_int_equal(s.ops->del(s.self, str("b")), TCN_IO);
    s.ops->abort(s.self);
    assert_int_equal(mem_store_count(m->store), 1);
}

static void test_store_capacity(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    uint64_t left, total;
    mem_store_set_capacity(m->store, 3 * (2 + MEM_STORE_ENTRY_BYTES));
    begin(&s);
    put(&s, "a", "1");
    put(&s, "b", "2");
    s.ops->space(s.self, &left, &total);
    assert_int_equal(left, 2 + MEM_STORE_ENTRY_BYTES);
    put(&s, "c", "3");
    put(&s, "c", "4"); /* takes the place of the old */
    commit(&s);
    begin(&s);
    assert_int_equal(s.ops->put(s.self, str("d"), str("5")), TCN_FULL);
    s.ops->abort(s.self);
    begin(&s);
    assert_int_equal(s.ops->del(s.self, str("a")), TCN_OK);
    put(&s, "d", "5");
    commit(&s);
    s.ops->space(s.self, &left, &total);
    assert_int_equal(left, 0);
    assert_int_equal(total, 3 * (2 + MEM_STORE_ENTRY_BYTES));
}

static void test_store_failed_commit(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    mem_store_fail_commit(m->store, 1, TCN_IO, false);
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_IO);
    mem_ports_crash(m);
    assert_int_equal(mem_store_count(m->store), 0);

    mem_store_fail_commit(m->store, 2, TCN_IO, true);
    begin(&s);
    commit(&s);
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_IO);
    s.ops->abort(s.self);
    mem_ports_crash(m);
    begin(&s);
    assert_entry(&s, "a", "1");
    s.ops->abort(s.self);
}

static void test_store_crash_and_copy(void **state)
{
    mem_ports *m = *state;
    tcn_store s = mem_ports_all(m).store;
    mem_store *backup = mem_store_new();
    begin(&s);
    put(&s, "a", "1");
    commit(&s);
    tcn_hash committed = mem_store_digest(m->store);
    begin(&s);
    put(&s, "a", "2");
    put(&s, "a", "3");
    put(&s, "b", "2");
    mem_store_copy(backup, m->store);
    assert_true(mem_store_is_open(m->store));
    tcn_hash copied = mem_store_digest(backup);
    assert_true(tcn_hash_equal(&copied, &committed));
    mem_ports_crash(m);
    assert_false(mem_store_is_open(m->store));
    copied = mem_store_digest(m->store);
    assert_true(tcn_hash_equal(&copied, &committed));
    begin(&s);
    put(&s, "z", "9");
    commit(&s);
    mem_store_copy(m->store, backup);
    copied = mem_store_digest(m->store);
    assert_true(tcn_hash_equal(&copied, &committed));
    mem_store_destroy(&backup);
    assert_null(backup);
}

static const tcn_id blob_id = {{1}}, other_id = {{2}};

static void assert_take(mem_blob *b, const tcn_id *id, tcn_blob_step step, tcn_err err,
                        uint64_t bytes)
{
    tcn_blob_done done;
    assert_true(mem_blob_take(b, &done));
    assert_true(tcn_id_equal(&done.id, id));
    assert_int_equal(done.step, step);
    assert_int_equal(done.err, err);
    assert_int_equal(done.bytes, bytes);
}

static void assert_blob(const tcn_blob *b, const tcn_id *id, tcn_blob_state expected, uint64_t size)
{
    uint64_t bytes;
    assert_int_equal(b->state(b->self, id, &bytes), expected);
    assert_int_equal(bytes, size);
}

static void test_blob_whole(void **state)
{
    mem_ports *m = *state;
    tcn_blob b = mem_ports_all(m).blob;
    tcn_hash hash = tcn_hash_of(str("hello world"));
    uint8_t read[6];
    size_t len;
    assert_blob(&b, &blob_id, TCN_BLOB_NONE, 0);
    assert_int_equal(b.append(b.self, &blob_id, 1, str("x")), TCN_CONFLICT);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("hello ")), TCN_OK);
    assert_blob(&b, &blob_id, TCN_BLOB_PARTIAL, 6);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("hello ")), TCN_CONFLICT);
    assert_int_equal(b.append(b.self, &blob_id, 6, str("world")), TCN_OK);
    assert_int_equal(b.finish(b.self, &blob_id, 12, &hash), TCN_CONFLICT);
    assert_int_equal(b.finish(b.self, &blob_id, 11, &hash), TCN_OK);
    assert_int_equal(b.read(b.self, &blob_id, 0, read, sizeof read, &len), TCN_NOT_FOUND);
    assert_int_equal(mem_blob_queued(m->blob), 3);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 6);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 11);
    assert_blob(&b, &blob_id, TCN_BLOB_PARTIAL, 11);
    assert_take(m->blob, &blob_id, TCN_BLOB_FINISHED, TCN_OK, 11);
    tcn_blob_done done;
    assert_false(mem_blob_take(m->blob, &done));
    assert_blob(&b, &blob_id, TCN_BLOB_WHOLE, 11);
    assert_int_equal(b.append(b.self, &blob_id, 11, str("x")), TCN_CONFLICT);
    assert_int_equal(b.read(b.self, &blob_id, 4, read, sizeof read, &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(read, len), str("o worl")));
    assert_int_equal(b.read(b.self, &blob_id, 11, read, sizeof read, &len), TCN_OK);
    assert_int_equal(len, 0);
    mem_ports_crash(m);
    assert_blob(&b, &blob_id, TCN_BLOB_WHOLE, 11);
    b.remove(b.self, &blob_id);
    b.remove(b.self, &blob_id);
    assert_blob(&b, &blob_id, TCN_BLOB_NONE, 0);
}

static void test_blob_mismatch_and_faults(void **state)
{
    mem_ports *m = *state;
    tcn_blob b = mem_ports_all(m).blob;
    tcn_hash wrong = tcn_hash_of(str("other"));
    assert_int_equal(b.append(b.self, &blob_id, 0, str("abc")), TCN_OK);
    assert_int_equal(b.finish(b.self, &blob_id, 3, &wrong), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(m->blob, &blob_id, TCN_BLOB_FINISHED, TCN_HASH_MISMATCH, 0);
    assert_blob(&b, &blob_id, TCN_BLOB_NONE, 0);

    /* A finish that fails leaves nothing that could be believed. */
    tcn_hash right = tcn_hash_of(str("abc"));
    mem_blob_fail_finish(m->blob, 1, TCN_IO);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("abc")), TCN_OK);
    assert_int_equal(b.finish(b.self, &blob_id, 3, &right), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(m->blob, &blob_id, TCN_BLOB_FINISHED, TCN_IO, 0);
    assert_blob(&b, &blob_id, TCN_BLOB_NONE, 0);

    /* What is queued behind a failure fails alike; the blob stays as it was before it. */
    mem_blob_fail_append(m->blob, 2, TCN_IO);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("abc")), TCN_OK);
    assert_int_equal(b.append(b.self, &blob_id, 3, str("de")), TCN_OK);
    assert_int_equal(b.append(b.self, &blob_id, 5, str("f")), TCN_OK);
    assert_int_equal(b.append(b.self, &other_id, 0, str("x")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_IO, 3);
    assert_blob(&b, &blob_id, TCN_BLOB_PARTIAL, 3);
    assert_int_equal(b.append(b.self, &blob_id, 3, str("g")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_IO, 3);
    assert_take(m->blob, &other_id, TCN_BLOB_APPENDED, TCN_OK, 1);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 4);

    /* Removed while queued: they answer, and a new beginning is possible at once. */
    assert_int_equal(b.append(b.self, &blob_id, 4, str("h")), TCN_OK);
    b.remove(b.self, &blob_id);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("new")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_NOT_FOUND, 0);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
}

static void test_blob_room(void **state)
{
    mem_ports *m = *state;
    tcn_blob b = mem_ports_all(m).blob;
    uint64_t left;
    mem_blob_set_queue(m->blob, 4);
    mem_blob_set_capacity(m->blob, 6);
    assert_int_equal(b.append(b.self, &blob_id, 0, str("abc")), TCN_OK);
    assert_int_equal(b.append(b.self, &blob_id, 3, str("de")), TCN_BUSY);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_int_equal(b.append(b.self, &blob_id, 3, str("defg")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_FULL, 3);
    b.space(b.self, &left);
    assert_int_equal(left, 3);
    b.remove(b.self, &blob_id);
    b.space(b.self, &left);
    assert_int_equal(left, 6);
}

static void test_blob_crash_keeps_synced(void **state)
{
    mem_ports *m = *state;
    tcn_blob b = mem_ports_all(m).blob;
    mem_blob *backup = mem_blob_new();
    assert_int_equal(b.append(b.self, &blob_id, 0, str("abc")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 3);
    mem_blob_sync(m->blob);
    tcn_hash synced = mem_blob_digest(m->blob);
    assert_int_equal(b.append(b.self, &blob_id, 3, str("de")), TCN_OK);
    assert_int_equal(b.append(b.self, &other_id, 0, str("x")), TCN_OK);
    assert_take(m->blob, &blob_id, TCN_BLOB_APPENDED, TCN_OK, 5);
    assert_take(m->blob, &other_id, TCN_BLOB_APPENDED, TCN_OK, 1);
    mem_blob_copy(backup, m->blob);
    mem_ports_crash(m);
    assert_int_equal(mem_blob_count(m->blob), 1);
    assert_blob(&b, &blob_id, TCN_BLOB_PARTIAL, 3);
    tcn_hash crashed = mem_blob_digest(m->blob), copied = mem_blob_digest(backup);
    assert_true(tcn_hash_equal(&crashed, &synced));
    assert_true(tcn_hash_equal(&copied, &synced));
    assert_true(mem_blob_corrupt(m->blob, &blob_id, 2));
    assert_false(mem_blob_corrupt(m->blob, &blob_id, 3));
    crashed = mem_blob_digest(m->blob);
    assert_false(tcn_hash_equal(&crashed, &synced));
    mem_blob_destroy(&backup);
}

static void test_net_order_and_modes(void **state)
{
    mem_ports *m = *state;
    tcn_net n = mem_ports_all(m).net;
    tcn_peer peer;
    tcn_bytes frame;
    assert_int_equal(n.send(n.self, 7, str("one")), TCN_SENT);
    assert_int_equal(n.send(n.self, 3, str("two")), TCN_SENT);
    assert_int_equal(n.send(n.self, 7, str("three")), TCN_SENT);
    assert_int_equal(n.send(n.self, 3, str("four")), TCN_SENT);
    assert_int_equal(mem_net_pending_for(m->net, 7), 2);
    assert_true(mem_net_take_for(m->net, 3, &frame));
    assert_true(tcn_bytes_equal(frame, str("two")));
    assert_true(mem_net_take(m->net, &peer, &frame));
    assert_int_equal(peer, 7);
    assert_true(tcn_bytes_equal(frame, str("one")));
    mem_net_set_peer(m->net, 3, MEM_PEER_FULL);
    assert_int_equal(n.send(n.self, 3, str("x")), TCN_SEND_FULL);
    assert_int_equal(mem_net_pending_for(m->net, 3), 1);
    mem_net_set_peer(m->net, 3, MEM_PEER_GONE);
    assert_int_equal(n.send(n.self, 3, str("x")), TCN_SEND_GONE);
    assert_false(mem_net_take_for(m->net, 3, &frame));
    mem_net_set_peer(m->net, 3, MEM_PEER_OPEN);
    mem_net_set_high_water(m->net, 1);
    assert_int_equal(n.send(n.self, 3, str("x")), TCN_SENT);
    assert_int_equal(n.send(n.self, 3, str("y")), TCN_SEND_FULL);
    assert_int_equal(mem_net_sent(m->net), 5);
    n.close(n.self, 7);
    n.close(n.self, 7);
    assert_int_equal(n.send(n.self, 7, str("x")), TCN_SEND_GONE);
    assert_int_equal(mem_net_pending_for(m->net, 7), 0);
    assert_true(mem_net_is_closed(m->net, 7));
    assert_false(mem_net_is_closed(m->net, 3));
    assert_true(mem_net_closed(m->net, 0, &peer));
    assert_int_equal(peer, 7);
    assert_false(mem_net_closed(m->net, 1, &peer));
    assert_int_equal(mem_net_pending(m->net), 1);
    mem_ports_crash(m);
    assert_int_equal(mem_net_pending(m->net), 0);
    assert_false(mem_net_is_closed(m->net, 7));
}

static void test_net_shared_frames(void **state)
{
    mem_ports *m = *state;
    tcn_net n = mem_ports_all(m).net;
    tcn_bytes frame;
    tcn_frame *shared = n.frame_new(n.self, str("shared"));
    assert_non_null(shared);
    assert_int_equal(mem_net_held_frames(m->net), 1);
    assert_int_equal(n.send_frame(n.self, 1, shared), TCN_SENT);
    assert_int_equal(n.send_frame(n.self, 2, shared), TCN_SENT);
    mem_net_set_peer(m->net, 3, MEM_PEER_FULL);
    assert_int_equal(n.send_frame(n.self, 3, shared), TCN_SEND_FULL);
    n.frame_release(n.self, shared);
    assert_int_equal(mem_net_held_frames(m->net), 0);
    for (tcn_peer peer = 1; peer <= 2; peer++) {
        assert_true(mem_net_take_for(m->net, peer, &frame));
        assert_true(tcn_bytes_equal(frame, str("shared")));
    }
    mem_net_fail_frame(m->net, 1);
    assert_null(n.frame_new(n.self, str("x")));
    n.frame_release(n.self, NULL);
}

static void test_clock_random_log(void **state)
{
    mem_ports *m = *state, again;
    tcn_ports p = mem_ports_all(m);
    assert_int_equal(p.clock.wall(p.clock.self).unix_ms, MEM_WALL_START_MS);
    mem_ports_pass(m, 1500);
    assert_int_equal(p.clock.wall(p.clock.self).unix_ms, MEM_WALL_START_MS + 1500);
    assert_int_equal(p.clock.mono(p.clock.self).ms, MEM_MONO_START_MS + 1500);

    uint8_t first[20], second[20];
    mem_ports_init(&again, 1);
    tcn_ports q = mem_ports_all(&again);
    p.random.fill(p.random.self, first, sizeof first);
    q.random.fill(q.random.self, second, sizeof second);
    assert_memory_equal(first, second, sizeof first);
    q.random.fill(q.random.self, second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    mem_ports_fini(&again);

    p.log.line(p.log.self, TCN_LOG_INFO, "one", "first");
    p.log.line(p.log.self, TCN_LOG_ERROR, "two", "second");
    p.log.line(p.log.self, TCN_LOG_INFO, "one", "third");
    assert_int_equal(mem_ports_line_count(m, "one"), 2);
    assert_int_equal(mem_ports_line_count(m, NULL), 3);
    assert_string_equal(mem_ports_line(m, "one", 1)->text, "third");
    assert_int_equal(mem_ports_line(m, "two", 0)->level, TCN_LOG_ERROR);
    assert_null(mem_ports_line(m, "two", 1));
    mem_ports_forget_lines(m);
    assert_int_equal(mem_ports_line_count(m, NULL), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_store_commit_and_abort),
        TEST(test_store_seek),
        TEST(test_store_many),
        TEST(test_store_sizes),
        TEST(test_store_faults_poison),
        TEST(test_store_capacity),
        TEST(test_store_failed_commit),
        TEST(test_store_crash_and_copy),
        TEST(test_blob_whole),
        TEST(test_blob_mismatch_and_faults),
        TEST(test_blob_room),
        TEST(test_blob_crash_keeps_synced),
        TEST(test_net_order_and_modes),
        TEST(test_net_shared_frames),
        TEST(test_clock_random_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
