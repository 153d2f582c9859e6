/* SPDX-License-Identifier: Apache-2.0 */
/* A skip list whose levels come from a fixed generator, and an undo list per transaction. */
#include "mem_store.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/limits.h"
#include "mem.h"

#define LEVELS 16
#define KEY_BYTES 511

typedef struct node {
    uint8_t *key, *value;
    size_t key_len, value_len;
    unsigned levels;
    struct node *next[];
} node;

typedef struct view {
    struct view *next;
    uint8_t *bytes;
} view;

/* How an entry was before a put or del: value is NULL if it was not there. */
typedef struct undo {
    struct undo *next;
    uint8_t *key, *value;
    size_t key_len, value_len;
} undo;

struct mem_store {
    node *head;
    size_t count;
    uint64_t used, capacity, commits, draws;
    bool is_open;
    tcn_txn_kind kind;
    tcn_err poison;
    undo *undos;
    view *views;
    bool landed; /* a failed commit that the disk has all the same */
    uint64_t write_fails_in, commit_fails_in;
    tcn_err write_err, commit_err;
    bool commit_lands;
};

static tcn_bytes key_of(const node *n)
{
    return tcn_bytes_of(n->key, n->key_len);
}

static tcn_bytes value_of(const node *n)
{
    return tcn_bytes_of(n->value, n->value_len);
}

static node *node_new(unsigned levels)
{
    node *n = mem_zeroed(sizeof *n + levels * sizeof(node *));
    n->levels = levels;
    return n;
}

static void node_free(node *n)
{
    free(n->key);
    free(n->value);
    free(n);
}

static uint64_t entry_bytes(size_t key_len, size_t value_len)
{
    return (uint64_t)key_len + value_len + MEM_STORE_ENTRY_BYTES;
}

/* Fills path with the last node before key on each level; returns the one at or after key. */
static node *find(const mem_store *s, tcn_bytes key, node *path[LEVELS])
{
    node *at = s->head;
    for (unsigned level = LEVELS; level-- > 0;) {
        while (at->next[level] && tcn_bytes_compare(key_of(at->next[level]), key) < 0) {
            at = at->next[level];
        }
        path[level] = at;
    }
    return at->next[0];
}

static node *find_equal(const mem_store *s, tcn_bytes key, node *path[LEVELS])
{
    node *n = find(s, key, path);
    return n && tcn_bytes_equal(key_of(n), key) ? n : NULL;
}

static unsigned draw_levels(mem_store *s)
{
    uint64_t z = (s->draws += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    unsigned levels = 1;
    while (levels < LEVELS && (z & 3) == 0) {
        levels++;
        z >>= 2;
    }
    return levels;
}

static void set_entry(mem_store *s, tcn_bytes key, tcn_bytes value)
{
    node *path[LEVELS];
    node *n = find_equal(s, key, path);
    uint8_t *copy = mem_copy(value);
    if (n) {
        s->used -= entry_bytes(n->key_len, n->value_len);
        free(n->value);
    } else {
        n = node_new(draw_levels(s));
        n->key = mem_copy(key);
        n->key_len = key.len;
        for (unsigned level = 0; level < n->levels; level++) {
            n->next[level] = path[level]->next[level];
            path[level]->next[level] = n;
        }
        s->count++;
    }
    n->value = copy;
    n->value_len = value.len;
    s->used += entry_bytes(n->key_len, n->value_len);
}

static void drop_entry(mem_store *s, tcn_bytes key)
{
    node *path[LEVELS];
    node *n = find_equal(s, key, path);
    if (!n) {
        return;
    }
    for (unsigned level = 0; level < n->levels; level++) {
        path[level]->next[level] = n->next[level];
    }
    s->used -= entry_bytes(n->key_len, n->value_len);
    s->count--;
    node_free(n);
}

static void drop_views(mem_store *s)
{
    while (s->views) {
        view *v = s->views;
        s->views = v->next;
        free(v->bytes);
        free(v);
    }
}

static tcn_bytes new_view(mem_store *s, tcn_bytes bytes)
{
    view *v = mem_zeroed(sizeof *v);
    v->bytes = mem_copy(bytes);
    v->next = s->views;
    s->views = v;
    return tcn_bytes_of(v->bytes, bytes.len);
}

static void remember(mem_store *s, tcn_bytes key)
{
    node *path[LEVELS];
    const node *n = find_equal(s, key, path);
    undo *u = mem_zeroed(sizeof *u);
    u->key = mem_copy(key);
    u->key_len = key.len;
    if (n) {
        u->value = mem_copy(value_of(n));
        u->value_len = n->value_len;
    }
    u->next = s->undos;
    s->undos = u;
}

/* Takes back what the transaction did, or only forgets how it was before. */
static void end_undos(mem_store *s, bool take_back)
{
    while (s->undos) {
        undo *u = s->undos;
        s->undos = u->next;
        if (take_back && u->value) {
            set_entry(s, tcn_bytes_of(u->key, u->key_len), tcn_bytes_of(u->value, u->value_len));
        } else if (take_back) {
            drop_entry(s, tcn_bytes_of(u->key, u->key_len));
        }
        free(u->key);
        free(u->value);
        free(u);
    }
}

static bool fails_now(uint64_t *fails_in)
{
    return *fails_in > 0 && --*fails_in == 0;
}

static bool key_is_valid(tcn_bytes key)
{
    return key.len >= 1 && key.len <= KEY_BYTES;
}

static tcn_err store_begin(void *self, tcn_txn_kind kind)
{
    mem_store *s = self;
    TCN_REQUIRE(!s->is_open);
    TCN_REQUIRE(!s->landed); /* after a failed commit the owner stops */
    s->is_open = true;
    s->kind = kind;
    s->poison = TCN_OK;
    return TCN_OK;
}

static tcn_err store_get(void *self, tcn_bytes key, tcn_bytes *ret_value)
{
    mem_store *s = self;
    node *path[LEVELS];
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    if (!key_is_valid(key)) {
        return TCN_INVALID;
    }
    const node *n = find_equal(s, key, path);
    if (!n) {
        return TCN_NOT_FOUND;
    }
    *ret_value = new_view(s, value_of(n));
    return TCN_OK;
}

/* What put and del have in common: is it allowed, and does the disk fail? */
static tcn_err before_write(mem_store *s, tcn_bytes key)
{
    TCN_REQUIRE(s->is_open && s->kind == TCN_TXN_WRITE);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    if (!key_is_valid(key)) {
        return TCN_INVALID;
    }
    if (fails_now(&s->write_fails_in)) {
        s->poison = s->write_err;
    }
    return s->poison;
}

static tcn_err store_put(void *self, tcn_bytes key, tcn_bytes value)
{
    mem_store *s = self;
    node *path[LEVELS];
    tcn_err err = before_write(s, key);
    if (err != TCN_OK) {
        return err;
    }
    if (value.len > TCN_MAX_FRAME_BYTES) {
        return TCN_TOO_LARGE;
    }
    const node *old = find_equal(s, key, path);
    uint64_t freed = old ? entry_bytes(old->key_len, old->value_len) : 0;
    if (s->used - freed + entry_bytes(key.len, value.len) > s->capacity) {
        return s->poison = TCN_FULL;
    }
    remember(s, key);
    set_entry(s, key, value); /* before the views die: value may be one of them */
    drop_views(s);
    return TCN_OK;
}

static tcn_err store_del(void *self, tcn_bytes key)
{
    mem_store *s = self;
    tcn_err err = before_write(s, key);
    if (err != TCN_OK) {
        return err;
    }
    remember(s, key);
    drop_entry(s, key);
    drop_views(s);
    return TCN_OK;
}

static bool has_prefix(const node *n, tcn_bytes prefix)
{
    return n->key_len >= prefix.len &&
           (prefix.len == 0 || memcmp(n->key, prefix.ptr, prefix.len) == 0);
}

/* The last node with the prefix: search for what follows all that have it. */
static node *last_with(const mem_store *s, tcn_bytes prefix)
{
    node *path[LEVELS];
    uint8_t after[KEY_BYTES];
    size_t len = prefix.len;
    memcpy(after, prefix.ptr, len);
    while (len > 0 && after[len - 1] == 0xff) {
        len--;
    }
    if (len > 0) {
        after[len - 1]++;
        (void)find(s, tcn_bytes_of(after, len), path);
        return path[0];
    }
    node *at = s->head;
    for (unsigned level = LEVELS; level-- > 0;) {
        while (at->next[level]) {
            at = at->next[level];
        }
    }
    return at;
}

static node *seek_back(const mem_store *s, tcn_bytes prefix, tcn_bytes from)
{
    node *path[LEVELS];
    bool from_is_inside = from.len >= prefix.len &&
                          (prefix.len == 0 || memcmp(from.ptr, prefix.ptr, prefix.len) == 0);
    if (!from_is_inside && tcn_bytes_compare(from, prefix) > 0) {
        return prefix.len <= KEY_BYTES ? last_with(s, prefix) : s->head;
    }
    node *n = find_equal(s, from, path);
    return n ? n : path[0];
}

static tcn_err store_seek(void *self, tcn_bytes prefix, tcn_bytes from, bool backward,
                          tcn_bytes *ret_key, tcn_bytes *ret_value)
{
    mem_store *s = self;
    node *path[LEVELS];
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    const node *n = backward ? seek_back(s, prefix, from)
                             : find(s, tcn_bytes_compare(from, prefix) < 0 ? prefix : from, path);
    if (!n || n == s->head || !has_prefix(n, prefix)) {
        return TCN_NOT_FOUND;
    }
    *ret_key = new_view(s, key_of(n));
    *ret_value = new_view(s, value_of(n));
    return TCN_OK;
}

static tcn_err store_commit(void *self)
{
    mem_store *s = self;
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    drop_views(s);
    if (s->kind == TCN_TXN_WRITE && fails_now(&s->commit_fails_in)) {
        s->landed = s->commit_lands;
        return s->poison = s->commit_err;
    }
    end_undos(s, false);
    s->commits += s->kind == TCN_TXN_WRITE;
    s->is_open = false;
    return TCN_OK;
}

static void store_abort(void *self)
{
    mem_store *s = self;
    drop_views(s);
    if (s->is_open) {
        end_undos(s, !s->landed);
        s->is_open = false;
    }
}

static void store_space(void *self, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes)
{
    const mem_store *s = self;
    *ret_free_bytes = s->capacity > s->used ? s->capacity - s->used : 0;
    *ret_total_bytes = s->capacity;
}

static const tcn_store_ops ops = {store_begin, store_get,    store_put,   store_del,
                                  store_seek,  store_commit, store_abort, store_space};

mem_store *mem_store_new(void)
{
    mem_store *s = mem_zeroed(sizeof *s);
    s->head = node_new(LEVELS);
    s->capacity = 1u << 30;
    return s;
}

static void drop_all(mem_store *s)
{
    node *n = s->head->next[0];
    while (n) {
        node *next = n->next[0];
        node_free(n);
        n = next;
    }
    memset(s->head->next, 0, LEVELS * sizeof(node *));
    s->count = 0;
    s->used = 0;
}

void mem_store_destroy(mem_store **store)
{
    mem_store *s = *store;
    *store = NULL;
    if (s) {
        drop_views(s);
        end_undos(s, false);
        drop_all(s);
        free(s->head);
        free(s);
    }
}

tcn_store mem_store_port(mem_store *store)
{
    return (tcn_store){&ops, store};
}

void mem_store_set_capacity(mem_store *store, uint64_t bytes)
{
    store->capacity = bytes;
}

void mem_store_fail_write(mem_store *store, uint64_t nth, tcn_err err)
{
    store->write_fails_in = nth;
    store->write_err = err;
}

void mem_store_fail_commit(mem_store *store, uint64_t nth, tcn_err err, bool lands)
{
    store->commit_fails_in = nth;
    store->commit_err = err;
    store->commit_lands = lands;
}

void mem_store_crash(mem_store *store)
{
    store_abort(store);
    store->landed = false;
    store->write_fails_in = 0;
    store->commit_fails_in = 0;
}

void mem_store_copy(mem_store *to, const mem_store *from)
{
    TCN_REQUIRE(!to->is_open && to != from);
    drop_all(to);
    for (const node *n = from->head->next[0]; n; n = n->next[0]) {
        set_entry(to, key_of(n), value_of(n));
    }
    /* Without what the open transaction did: undo it in the copy, the newest first. */
    for (const undo *u = from->undos; u; u = u->next) {
        if (u->value) {
            set_entry(to, tcn_bytes_of(u->key, u->key_len), tcn_bytes_of(u->value, u->value_len));
        } else {
            drop_entry(to, tcn_bytes_of(u->key, u->key_len));
        }
    }
}

void mem_store_each(const mem_store *store, mem_store_fn *fn, void *arg)
{
    for (const node *n = store->head->next[0]; n; n = n->next[0]) {
        if (!fn(arg, key_of(n), value_of(n))) {
            return;
        }
    }
}

size_t mem_store_count(const mem_store *store)
{
    return store->count;
}

static bool digest_entry(void *arg, tcn_bytes key, tcn_bytes value)
{
    crypto_hash_sha256_state *hash = arg;
    const uint64_t lens[2] = {key.len, value.len};
    crypto_hash_sha256_update(hash, (const uint8_t *)lens, sizeof lens);
    crypto_hash_sha256_update(hash, key.ptr, key.len);
    crypto_hash_sha256_update(hash, value.ptr, value.len);
    return true;
}

tcn_hash mem_store_digest(const mem_store *store)
{
    tcn_hash digest;
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    mem_store_each(store, digest_entry, &hash);
    crypto_hash_sha256_final(&hash, digest.b);
    return digest;
}

uint64_t mem_store_commits(const mem_store *store)
{
    return store->commits;
}

bool mem_store_is_open(const mem_store *store)
{
    return store->is_open;
}
