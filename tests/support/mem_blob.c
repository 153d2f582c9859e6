/* SPDX-License-Identifier: Apache-2.0 */
#include "mem_blob.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

typedef struct {
    tcn_id id;
    bool is_whole;
    uint8_t *bytes;
    size_t len, synced, cap;
} item;

typedef struct {
    tcn_id id;
    tcn_blob_step step;
    uint64_t offset; /* append */
    uint8_t *bytes;
    size_t len;
    uint64_t size; /* finish */
    tcn_hash expected;
    tcn_err failed; /* an earlier job of this blob failed, or it was removed meanwhile */
} job;

struct mem_blob {
    item *items; /* in order of id */
    size_t count;
    job *jobs; /* the oldest first */
    size_t job_count;
    uint64_t capacity, used, queue_bytes, queued_bytes;
    uint64_t append_fails_in, finish_fails_in;
    tcn_err append_err, finish_err;
};

static size_t place_of(const mem_blob *b, const tcn_id *id)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(b->items[middle].id.b, id->b, sizeof id->b) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static item *find(const mem_blob *b, const tcn_id *id)
{
    size_t at = place_of(b, id);
    return at < b->count && tcn_id_equal(&b->items[at].id, id) ? &b->items[at] : NULL;
}

static item *find_or_add(mem_blob *b, const tcn_id *id)
{
    item *found = find(b, id);
    if (found) {
        return found;
    }
    size_t at = place_of(b, id);
    b->items = mem_grown(b->items, (b->count + 1) * sizeof *b->items);
    memmove(b->items + at + 1, b->items + at, (b->count - at) * sizeof *b->items);
    b->count++;
    b->items[at] = (item){.id = *id};
    return &b->items[at];
}

static void drop_item(mem_blob *b, const tcn_id *id)
{
    item *found = find(b, id);
    if (found) {
        size_t at = (size_t)(found - b->items);
        b->used -= found->len;
        free(found->bytes);
        b->count--;
        memmove(b->items + at, b->items + at + 1, (b->count - at) * sizeof *b->items);
    }
}

/* The size when all that is queued and not bound to fail will have been done. */
static uint64_t size_so_far(const mem_blob *b, const tcn_id *id)
{
    const item *found = find(b, id);
    uint64_t size = found ? found->len : 0;
    for (size_t i = 0; i < b->job_count; i++) {
        if (tcn_id_equal(&b->jobs[i].id, id) && b->jobs[i].failed == TCN_OK) {
            size += b->jobs[i].len;
        }
    }
    return size;
}

static bool is_queued(const mem_blob *b, const tcn_id *id)
{
    for (size_t i = 0; i < b->job_count; i++) {
        if (tcn_id_equal(&b->jobs[i].id, id) && b->jobs[i].failed == TCN_OK) {
            return true;
        }
    }
    return false;
}

static void push(mem_blob *b, const job *j)
{
    b->jobs = mem_grown(b->jobs, (b->job_count + 1) * sizeof *b->jobs);
    b->jobs[b->job_count++] = *j;
    b->queued_bytes += j->len;
}

static tcn_blob_state blob_state(void *self, const tcn_id *id, uint64_t *ret_bytes)
{
    const mem_blob *b = self;
    const item *found = find(b, id);
    if (found && found->is_whole) {
        *ret_bytes = found->len;
        return TCN_BLOB_WHOLE;
    }
    if (found || is_queued(b, id)) {
        *ret_bytes = size_so_far(b, id);
        return TCN_BLOB_PARTIAL;
    }
    *ret_bytes = 0;
    return TCN_BLOB_NONE;
}

static tcn_err blob_append(void *self, const tcn_id *id, uint64_t offset, tcn_bytes bytes)
{
    mem_blob *b = self;
    const item *found = find(b, id);
    if ((found && found->is_whole) || offset != size_so_far(b, id)) {
        return TCN_CONFLICT;
    }
    if (b->queued_bytes + bytes.len > b->queue_bytes) {
        return TCN_BUSY;
    }
    const job j = {.id = *id,
                   .step = TCN_BLOB_APPENDED,
                   .offset = offset,
                   .bytes = mem_copy(bytes),
                   .len = bytes.len};
    push(b, &j);
    return TCN_OK;
}

static tcn_err blob_finish(void *self, const tcn_id *id, uint64_t size, const tcn_hash *expected)
{
    mem_blob *b = self;
    if (size != size_so_far(b, id)) {
        return TCN_CONFLICT;
    }
    const job j = {.id = *id, .step = TCN_BLOB_FINISHED, .size = size, .expected = *expected};
    push(b, &j);
    return TCN_OK;
}

static tcn_err blob_read(void *self, const tcn_id *id, uint64_t offset, uint8_t *ret_bytes,
                         size_t cap, size_t *ret_len)
{
    const mem_blob *b = self;
    const item *found = find(b, id);
    if (!found || !found->is_whole) {
        return TCN_NOT_FOUND;
    }
    size_t len = 0;
    if (offset < found->len) {
        size_t left = found->len - (size_t)offset;
        len = left < cap ? left : cap;
        if (len) {
            memcpy(ret_bytes, found->bytes + offset, len);
        }
    }
    *ret_len = len;
    return TCN_OK;
}

static void fail_jobs(mem_blob *b, const tcn_id *id, tcn_err err)
{
    for (size_t i = 0; i < b->job_count; i++) {
        if (tcn_id_equal(&b->jobs[i].id, id) && b->jobs[i].failed == TCN_OK) {
            b->jobs[i].failed = err;
        }
    }
}

static void blob_remove(void *self, const tcn_id *id)
{
    mem_blob *b = self;
    drop_item(b, id);
    fail_jobs(b, id, TCN_NOT_FOUND);
}

static void blob_space(void *self, uint64_t *ret_free_bytes)
{
    const mem_blob *b = self;
    *ret_free_bytes = b->capacity > b->used ? b->capacity - b->used : 0;
}

static bool fails_now(uint64_t *fails_in)
{
    return *fails_in > 0 && --*fails_in == 0;
}

static tcn_err do_append(mem_blob *b, const job *j)
{
    if (fails_now(&b->append_fails_in)) {
        return b->append_err;
    }
    if (j->len > b->capacity - (b->used < b->capacity ? b->used : b->capacity)) {
        return TCN_FULL;
    }
    item *it = find_or_add(b, &j->id);
    if (it->is_whole || it->len != j->offset) {
        return TCN_CONFLICT;
    }
    if (it->len + j->len > it->cap) {
        it->cap = 2 * (it->len + j->len);
        it->bytes = mem_grown(it->bytes, it->cap);
    }
    if (j->len) {
        memcpy(it->bytes + it->len, j->bytes, j->len);
    }
    it->len += j->len;
    b->used += j->len;
    return TCN_OK;
}

static tcn_err do_finish(mem_blob *b, const job *j)
{
    if (fails_now(&b->finish_fails_in)) {
        drop_item(b, &j->id); /* nobody knows what the disk has */
        return b->finish_err;
    }
    item *it = find_or_add(b, &j->id);
    tcn_hash hash = tcn_hash_of(tcn_bytes_of(it->bytes, it->len));
    if (it->len != j->size || !tcn_hash_equal(&hash, &j->expected)) {
        drop_item(b, &j->id);
        return TCN_HASH_MISMATCH;
    }
    it->is_whole = true;
    it->synced = it->len;
    return TCN_OK;
}

bool mem_blob_take(mem_blob *blob, tcn_blob_done *ret_done)
{
    if (blob->job_count == 0) {
        return false;
    }
    job j = blob->jobs[0];
    blob->job_count--;
    memmove(blob->jobs, blob->jobs + 1, blob->job_count * sizeof *blob->jobs);
    blob->queued_bytes -= j.len;
    tcn_err err = j.failed;
    if (err == TCN_OK) {
        err = j.step == TCN_BLOB_APPENDED ? do_append(blob, &j) : do_finish(blob, &j);
        if (err != TCN_OK) {
            fail_jobs(blob, &j.id, err); /* their offsets are wrong now */
        }
    }
    free(j.bytes);
    const item *it = find(blob, &j.id);
    *ret_done = (tcn_blob_done){j.id, j.step, err, it ? it->len : 0};
    return true;
}

mem_blob *mem_blob_new(void)
{
    mem_blob *b = mem_zeroed(sizeof *b);
    b->capacity = 1u << 30;
    b->queue_bytes = 4u << 20;
    return b;
}

static void drop_jobs(mem_blob *b)
{
    for (size_t i = 0; i < b->job_count; i++) {
        free(b->jobs[i].bytes);
    }
    b->job_count = 0;
    b->queued_bytes = 0;
}

static void drop_items(mem_blob *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->items[i].bytes);
    }
    b->count = 0;
    b->used = 0;
}

void mem_blob_destroy(mem_blob **blob)
{
    mem_blob *b = *blob;
    *blob = NULL;
    if (b) {
        drop_jobs(b);
        drop_items(b);
        free(b->jobs);
        free(b->items);
        free(b);
    }
}

tcn_blob mem_blob_port(mem_blob *blob)
{
    return (tcn_blob){blob_state,  blob_append, blob_finish, blob_read,
                      blob_remove, blob_space,  blob};
}

size_t mem_blob_queued(const mem_blob *blob)
{
    return blob->job_count;
}

void mem_blob_set_capacity(mem_blob *blob, uint64_t bytes)
{
    blob->capacity = bytes;
}

void mem_blob_set_queue(mem_blob *blob, uint64_t bytes)
{
    blob->queue_bytes = bytes;
}

void mem_blob_fail_append(mem_blob *blob, uint64_t nth, tcn_err err)
{
    blob->append_fails_in = nth;
    blob->append_err = err;
}

void mem_blob_fail_finish(mem_blob *blob, uint64_t nth, tcn_err err)
{
    blob->finish_fails_in = nth;
    blob->finish_err = err;
}

bool mem_blob_corrupt(mem_blob *blob, const tcn_id *id, uint64_t offset)
{
    item *it = find(blob, id);
    if (!it || offset >= it->len) {
        return false;
    }
    it->bytes[offset] ^= 1;
    return true;
}

void mem_blob_sync(mem_blob *blob)
{
    for (size_t i = 0; i < blob->count; i++) {
        blob->items[i].synced = blob->items[i].len;
    }
}

void mem_blob_crash(mem_blob *blob)
{
    drop_jobs(blob);
    blob->append_fails_in = 0;
    blob->finish_fails_in = 0;
    for (size_t i = blob->count; i-- > 0;) {
        item *it = &blob->items[i];
        blob->used -= it->len - it->synced;
        it->len = it->synced;
        if (it->len == 0 && !it->is_whole) {
            const tcn_id id = it->id;
            drop_item(blob, &id);
        }
    }
}

void mem_blob_copy(mem_blob *to, const mem_blob *from)
{
    TCN_REQUIRE(to != from);
    drop_jobs(to);
    drop_items(to);
    for (size_t i = 0; i < from->count; i++) {
        const item *it = &from->items[i];
        if (it->is_whole || it->synced > 0) {
            item *copy = find_or_add(to, &it->id);
            copy->is_whole = it->is_whole;
            copy->bytes = mem_copy(tcn_bytes_of(it->bytes, it->synced));
            copy->len = copy->synced = copy->cap = it->synced;
            to->used += it->synced;
        }
    }
}

size_t mem_blob_count(const mem_blob *blob)
{
    return blob->count;
}

tcn_hash mem_blob_digest(const mem_blob *blob)
{
    tcn_hash digest;
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    for (size_t i = 0; i < blob->count; i++) {
        const item *it = &blob->items[i];
        const uint64_t head[2] = {it->is_whole, it->len};
        crypto_hash_sha256_update(&hash, it->id.b, sizeof it->id.b);
        crypto_hash_sha256_update(&hash, (const uint8_t *)head, sizeof head);
        if (it->len) {
            crypto_hash_sha256_update(&hash, it->bytes, it->len);
        }
    }
    crypto_hash_sha256_final(&hash, digest.b);
    return digest;
}
