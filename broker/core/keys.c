/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - builds the keys of keys.h. */
#include "keys.h"

#include <string.h>

static void add(tcn_key *key, const void *bytes, size_t len)
{
    TCN_REQUIRE(len <= sizeof(key->b) - key->len); /* names and handles are bounded where decoded */
    if (len > 0)
        memcpy(key->b + key->len, bytes, len);
    key->len += len;
}

static void add_u8(tcn_key *key, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    add(key, &byte, 1);
}

static void add_u64(tcn_key *key, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        add_u8(key, (unsigned)(value >> shift) & 0xff);
}

static uint64_t ms_of(tcn_wall at)
{
    return at.unix_ms > 0 ? (uint64_t)at.unix_ms : 0;
}

tcn_bytes tcn_key_bytes(const tcn_key *key)
{
    return tcn_bytes_of(key->b, key->len);
}

tcn_key tcn_key_plain(char prefix)
{
    tcn_key key = {.len = 0};
    add_u8(&key, (unsigned char)prefix);
    return key;
}

tcn_key tcn_key_lane(char prefix, tcn_lane lane)
{
    tcn_key key = tcn_key_plain(prefix);
    add_u8(&key, (unsigned)lane);
    return key;
}

tcn_key tcn_key_head(tcn_lane lane)
{
    return tcn_key_lane('S', lane);
}

tcn_key tcn_key_seq(char prefix, tcn_lane lane, uint64_t seq)
{
    tcn_key key = tcn_key_lane(prefix, lane);
    add_u64(&key, seq);
    return key;
}

tcn_key tcn_key_id(char prefix, const tcn_id *id)
{
    tcn_key key = tcn_key_plain(prefix);
    add(&key, id->b, sizeof(id->b));
    return key;
}

tcn_key tcn_key_id_name(char prefix, const tcn_id *id, const char *name)
{
    tcn_key key = tcn_key_id(prefix, id);
    add(&key, name, strlen(name));
    return key;
}

tcn_key tcn_key_name(char prefix, const char *name)
{
    tcn_key key = tcn_key_plain(prefix);
    add(&key, name, strlen(name));
    return key;
}

tcn_key tcn_key_name0(char prefix, const char *name)
{
    tcn_key key = tcn_key_name(prefix, name);
    add_u8(&key, 0);
    return key;
}

tcn_key tcn_key_name_lane(char prefix, const char *name, tcn_lane lane)
{
    tcn_key key = tcn_key_name0(prefix, name);
    add_u8(&key, (unsigned)lane);
    return key;
}

tcn_key tcn_key_checkpoint(tcn_lane lane, uint64_t seq, const char *node, uint64_t generation)
{
    tcn_key key = tcn_key_seq('B', lane, seq);
    add(&key, node, strlen(node) + 1);
    add_u64(&key, generation);
    return key;
}

bool tcn_key_checkpoint_node(tcn_bytes key, char ret_node[static TCN_MAX_NAME_CHARS + 1])
{
    const size_t before = 10, behind = 9; /* prefix, lane, seq; zero byte, generation */
    if (key.len <= before + behind || key.len - before - behind > TCN_MAX_NAME_CHARS)
        return false;
    size_t len = key.len - before - behind;
    memcpy(ret_node, key.ptr + before, len);
    ret_node[len] = '\0';
    return true;
}

tcn_key tcn_key_past(const char *node, uint64_t n)
{
    tcn_key key = tcn_key_name0('d', node);
    add_u64(&key, n);
    return key;
}

tcn_key tcn_key_of_publisher(const char *publisher, tcn_wall accepted, const tcn_id *id)
{
    tcn_key key = tcn_key_name0('P', publisher);
    add_u64(&key, ms_of(accepted));
    add(&key, id->b, sizeof(id->b));
    return key;
}

tcn_key tcn_key_accepted(tcn_wall accepted, const tcn_id *id)
{
    tcn_key key = tcn_key_plain('O');
    add_u64(&key, ms_of(accepted));
    add(&key, id->b, sizeof(id->b));
    return key;
}

tcn_key tcn_key_waiting(const char *author, const tcn_id *id)
{
    tcn_key key = tcn_key_name0('W', author);
    add(&key, id->b, sizeof(id->b));
    return key;
}

tcn_key tcn_key_handle(tcn_bytes handle, const char *publisher)
{
    tcn_key key = tcn_key_plain('I');
    add(&key, handle.ptr, handle.len);
    add_u8(&key, 0);
    add(&key, publisher, strlen(publisher));
    return key;
}

tcn_key tcn_key_timer(tcn_wall due, tcn_timer_kind kind, const tcn_id *id)
{
    tcn_key key = tcn_key_plain('T');
    add_u64(&key, ms_of(due));
    add_u8(&key, (unsigned)kind);
    add(&key, id->b, sizeof(id->b));
    return key;
}

tcn_key tcn_key_number(char prefix, uint64_t n)
{
    tcn_key key = tcn_key_plain(prefix);
    add_u64(&key, n);
    return key;
}

tcn_key tcn_key_of(tcn_bytes bytes)
{
    tcn_key key = {.len = 0};
    add(&key, bytes.ptr, bytes.len < sizeof(key.b) ? bytes.len : sizeof(key.b));
    return key;
}

tcn_key tcn_key_after(tcn_bytes bytes)
{
    tcn_key key = {.len = 0};
    add(&key, bytes.ptr, bytes.len < sizeof(key.b) ? bytes.len : sizeof(key.b) - 1);
    add_u8(&key, 0);
    return key;
}

uint64_t tcn_key_u64_at(tcn_bytes key, size_t offset)
{
    uint64_t value = 0;
    if (offset > key.len || key.len - offset < 8)
        return 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | key.ptr[offset + i];
    return value;
}

bool tcn_key_id_at(tcn_bytes key, size_t offset, tcn_id *ret_id)
{
    if (offset > key.len || key.len - offset < sizeof(ret_id->b))
        return false;
    memcpy(ret_id->b, key.ptr + offset, sizeof(ret_id->b));
    return true;
}
