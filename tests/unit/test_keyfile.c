/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/keyfile.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char home[PATH_MAX];
static tcn_fault fault;

static int make_home(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(home, sizeof(home), "%s/tocsin-test-XXXXXX", base != NULL ? base : "/tmp");
    if (tcn_keys_init() != TCN_OK)
        return -1;
    return mkdtemp(home) == NULL ? -1 : 0;
}

static int remove_home(void **state)
{
    (void)state;
    char command[PATH_MAX + 16];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

/* A path in the home; good until the next call. */
static const char *at(const char *name)
{
    static char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", home, name);
    return path;
}

static void put(const char *name, const char *text, unsigned mode)
{
    assert_int_equal(tcn_file_write(at(name), tcn_bytes_str(text), mode, &fault), TCN_OK);
}

/* Replaces the first what in text, in memory of size bytes. */
static void replace(char *text, size_t size, const char *what, const char *with)
{
    char *found = strstr(text, what);
    assert_non_null(found);
    size_t rest = strlen(found + strlen(what)) + 1;
    assert_true((size_t)(found - text) + strlen(with) + rest <= size);
    memmove(found + strlen(with), found + strlen(what), rest);
    memcpy(found, with, strlen(with));
}

static void get(const char *name, char *ret_text, size_t size)
{
    uint8_t *text;
    size_t len;
    assert_int_equal(tcn_file_read(at(name), size - 1, &text, &len, &fault), TCN_OK);
    memcpy(ret_text, text, len + 1);
    free(text);
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(at(name), &st), 0);
    return st.st_mode & 07777;
}

static bool is_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Keys that are the same each time: seeds of 0x11, 0x22 and 0x33. */
static tcn_member_keys known_keys(void)
{
    tcn_member_keys keys = {.name = "cert-fi"};
    uint8_t seed[32];
    memset(seed, 0x11, sizeof(seed));
    tcn_sign_from_seed(seed, &keys.secrets.sign);
    memset(keys.secrets.transport.b, 0x22, 32);
    memset(keys.secrets.seal.b, 0x33, 32);
    return keys;
}

#define HEX32(digits) digits digits digits digits
#define SIGN HEX32("1111111111111111")
#define TRANSPORT HEX32("2222222222222222")
#define SEAL HEX32("3333333333333333")
#define KEYS_TEXT                                                                                  \
    "tocsin-keys 1\nname cert-fi\nsign " SIGN "\ntransport " TRANSPORT "\nseal " SEAL "\n"

/* ---- member.keys ---- */

static void test_member_keys_both_ways(void **state)
{
    (void)state;
    char text[1000];
    tcn_member_keys keys = known_keys(), read;
    assert_int_equal(tcn_member_keys_write(at("member.keys"), &keys, &fault), TCN_OK);
    assert_int_equal(mode_of("member.keys"), 0600);
    get("member.keys", text, sizeof(text));
    assert_string_equal(text, KEYS_TEXT);
    assert_int_equal(tcn_member_keys_read(at("member.keys"), &read, &fault), TCN_OK);
    assert_string_equal(read.name, "cert-fi");
    assert_memory_equal(&read.secrets, &keys.secrets, sizeof(keys.secrets));
    tcn_member_keys_fini(&read);
    assert_true(is_zero(&read, sizeof(read)));
    tcn_member_keys_fini(NULL);
}

static void test_member_keys_are_never_overwritten(void **state)
{
    (void)state;
    char text[1000];
    tcn_member_keys keys = known_keys();
    put("precious.keys", "whatever", 0600);
    assert_int_equal(tcn_member_keys_write(at("precious.keys"), &keys, &fault), TCN_CONFLICT);
    get("precious.keys", text, sizeof(text));
    assert_string_equal(text, "whatever");
}

static void test_member_keys_want_a_name(void **state)
{
    (void)state;
    tcn_member_keys keys = known_keys();
    (void)strcpy(keys.name, "CERT FI");
    assert_int_equal(tcn_member_keys_write(at("unnamed.keys"), &keys, &fault), TCN_INVALID);
    assert_int_equal(tcn_request_write(at("unnamed.request"), &keys, &fault), TCN_INVALID);
    assert_int_not_equal(access(at("unnamed.keys"), F_OK), 0);
    assert_int_not_equal(access(at("unnamed.request"), F_OK), 0);
}

static void test_open_secret_files_are_refused(void **state)
{
    (void)state;
    tcn_member_keys keys = {.name = "before"};
    tcn_sign_secret secret;
    put("open.keys", KEYS_TEXT, 0640);
    assert_int_equal(tcn_member_keys_read(at("open.keys"), &keys, &fault), TCN_PERMISSIONS);
    assert_non_null(strstr(fault.text, "open.keys is open to others (mode 0640): run chmod 600 "));
    assert_string_equal(keys.name, "before");
    put("open.key", "tocsin-authority 1\nsign " SIGN "\n", 0604);
    assert_int_equal(tcn_authority_read(at("open.key"), &secret, &fault), TCN_PERMISSIONS);
    put("real.keys", KEYS_TEXT, 0600);
    assert_int_equal(symlink("real.keys", at("linked.keys")), 0);
    assert_int_equal(tcn_member_keys_read(at("linked.keys"), &keys, &fault), TCN_PERMISSIONS);
    assert_int_equal(tcn_member_keys_read(at("no.keys"), &keys, &fault), TCN_NOT_FOUND);
}

static void test_comments_and_order_are_free(void **state)
{
    (void)state;
    tcn_member_keys keys, known = known_keys();
    const char *texts[] = {
        "# made by hand\n\n" KEYS_TEXT "# end\n",
        "tocsin-keys 1\nseal " SEAL "\nsign " SIGN "\n# inside\nname cert-fi\ntransport " TRANSPORT,
        "tocsin-keys 1\r\nname cert-fi\r\n\r\nsign " SIGN "\r\ntransport " TRANSPORT
        "\r\nseal " SEAL "\r\n",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        put("free.keys", texts[i], 0600);
        assert_int_equal(tcn_member_keys_read(at("free.keys"), &keys, &fault), TCN_OK);
        assert_string_equal(keys.name, "cert-fi");
        assert_memory_equal(&keys.secrets, &known.secrets, sizeof(known.secrets));
    }
}

static void test_malformed(void **state)
{
    (void)state;
    const struct {
        const char *what, *with, *told;
    } cases[] = {
        {"tocsin-keys 1\n", "", ":1: the first line must be: tocsin-keys 1"},
        {"tocsin-keys 1", "tocsin-keys 2", ":1: this version of the file is not known"},
        {"tocsin-keys 1", "tocsin-keys", ":1: this version"},
        {"tocsin-keys 1", "tocsin-keys 1 ", ":1: this version"},
        {"tocsin-keys 1", "tocsin-authority 1",
         ":1: this is a tocsin-authority file, not a tocsin-keys"},
        {"tocsin-keys 1", " tocsin-keys 1", ":1: the first line"},
        {"name cert-fi\n", "", ": there is no line \"name\""},
        {"seal " SEAL "\n", "", ": there is no line \"seal\""},
        {"name cert-fi", "name cert fi", ":2: a name has"},
        {"name cert-fi", "name CERT-FI", ":2: a name has"},
        {"name cert-fi", "name", ":2: a name has"},
        {"name cert-fi", "name ", ":2: a name has"},
        {"name cert-fi", "name  cert-fi", ":2: a name has"},
        {"name cert-fi", "name cert-fi ", ":2: a name has"},
        {"name cert-fi", "name cert-fi\nname cert-fi", ":3: name stands here twice"},
        {"sign " SIGN, "sign " SIGN "\nsign " SIGN, ":4: sign stands here twice"},
        {"sign " SIGN, "sign " SIGN "0", ":3: sign needs exactly 64 hex digits"},
        {"sign 11", "sign 1", ":3: sign needs"},
        {"sign 11", "sign 1g", ":3: sign needs"},
        {"sign 11", "sign  11", ":3: sign needs"},
        {"sign " SIGN, "sign " SIGN " ", ":3: sign needs"},
        {"sign " SIGN, "sign " SIGN " # x", ":3: sign needs"},
        {"sign ", "sign\t", ":3: a tocsin-keys file has no such line"},
        {"sign ", "Sign ", ":3: a tocsin-keys file has no such line"},
        {"seal ", "proof ", ":5: a tocsin-keys file has no such line"},
        {"seal " SEAL, "seal " SEAL "\nsecret", ":6: a tocsin-keys file has no such line"},
        {"seal " SEAL "\n", "seal " SEAL "\n\n" SEAL, ":7: a tocsin-keys file has no such line"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2000] = KEYS_TEXT;
        tcn_member_keys keys = {.name = "before"};
        replace(text, sizeof(text), cases[i].what, cases[i].with);
        put("bad.keys", text, 0600);
        if (tcn_member_keys_read(at("bad.keys"), &keys, &fault) != TCN_MALFORMED)
            fail_msg("case %zu accepted", i);
        if (strstr(fault.text, cases[i].told) == NULL)
            fail_msg("case %zu tells: %s", i, fault.text);
        /* A fault may end in a log: no piece of a key is in it. */
        assert_null(strstr(fault.text, "1111"));
        assert_null(strstr(fault.text, "3333"));
        assert_string_equal(keys.name, "before");
    }
}

static void test_not_even_text(void **state)
{
    (void)state;
    tcn_member_keys keys;
    static char large[5000];
    const tcn_bytes nul = tcn_bytes_of(KEYS_TEXT "\0more", sizeof(KEYS_TEXT) + 4);
    const char *texts[] = {"", "\n\n", "# only a comment\n", "binary \x7f\xff"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        put("no.text", texts[i], 0600);
        assert_int_equal(tcn_member_keys_read(at("no.text"), &keys, &fault), TCN_MALFORMED);
    }
    assert_int_equal(tcn_file_write(at("no.text"), nul, 0600, &fault), TCN_OK);
    assert_int_equal(tcn_member_keys_read(at("no.text"), &keys, &fault), TCN_MALFORMED);
    memset(large, '#', sizeof(large) - 1);
    put("no.text", large, 0600);
    assert_int_equal(tcn_member_keys_read(at("no.text"), &keys, &fault), TCN_TOO_LARGE);
}

/* ---- authority ---- */

static void test_authority_both_ways(void **state)
{
    (void)state;
    char text[200];
    tcn_sign_secret secret, read;
    tcn_sign_public key, read_key;
    tcn_sign_generate(&secret);
    tcn_sign_public_of(&secret, &key);
    assert_int_equal(tcn_authority_write(at("authority.key"), &secret, &fault), TCN_OK);
    assert_int_equal(mode_of("authority.key"), 0600);
    assert_int_equal(tcn_authority_write(at("authority.key"), &secret, &fault), TCN_CONFLICT);
    assert_int_equal(tcn_authority_read(at("authority.key"), &read, &fault), TCN_OK);
    assert_memory_equal(&read, &secret, sizeof(secret));
    assert_int_equal(tcn_authority_public_write(at("authority.pub"), &key, &fault), TCN_OK);
    assert_int_equal(mode_of("authority.pub"), 0644);
    assert_int_equal(tcn_authority_public_read(at("authority.pub"), &read_key, &fault), TCN_OK);
    assert_memory_equal(&read_key, &key, sizeof(key));
    get("authority.pub", text, sizeof(text));
    assert_int_equal(strncmp(text, "tocsin-authority-public 1\nsign ", 31), 0);
    /* One is not taken for the other. */
    assert_int_equal(tcn_authority_public_read(at("authority.key"), &read_key, &fault),
                     TCN_MALFORMED);
    assert_non_null(strstr(fault.text, "this is a tocsin-authority file"));
    assert_int_equal(chmod(at("authority.pub"), 0600), 0);
    assert_int_equal(tcn_authority_read(at("authority.pub"), &read, &fault), TCN_MALFORMED);
    assert_non_null(strstr(fault.text, "this is a tocsin-authority-public file"));
}

/* ---- requests ---- */

static void test_request_both_ways(void **state)
{
    (void)state;
    tcn_member_keys keys = known_keys();
    tcn_publics publics;
    tcn_request request;
    char text[1000];
    assert_int_equal(tcn_request_write(at("cert-fi.request"), &keys, &fault), TCN_OK);
    assert_int_equal(mode_of("cert-fi.request"), 0644);
    assert_int_equal(tcn_request_read(at("cert-fi.request"), &request, &fault), TCN_OK);
    assert_string_equal(request.name, "cert-fi");
    tcn_secrets_publics(&keys.secrets, &publics);
    assert_memory_equal(&request.publics, &publics, sizeof(publics));
    /* Nothing secret is in it. */
    get("cert-fi.request", text, sizeof(text));
    assert_null(strstr(text, "11111111"));
    assert_null(strstr(text, "22222222"));
    assert_null(strstr(text, "33333333"));
    /* It may be made again. */
    assert_int_equal(tcn_request_write(at("cert-fi.request"), &keys, &fault), TCN_OK);
}

static void test_proof_binds_name_and_keys(void **state)
{
    (void)state;
    tcn_member_keys keys = known_keys(), other = known_keys();
    char mine[1000], theirs[1000];
    tcn_request request = {.name = "before"};
    tcn_secrets_generate(&other.secrets);
    assert_int_equal(tcn_request_write(at("mine"), &keys, &fault), TCN_OK);
    assert_int_equal(tcn_request_write(at("theirs"), &other, &fault), TCN_OK);
    get("theirs", theirs, sizeof(theirs));
    const char *words[] = {"\nsign ", "\ntransport ", "\nseal ", "\nproof "};
    for (size_t i = 0; i < COUNT(words); i++) {
        /* One line of theirs in mine. */
        get("mine", mine, sizeof(mine));
        char *to = strstr(mine, words[i]) + 1, *from = strstr(theirs, words[i]) + 1;
        memcpy(to, from, strcspn(from, "\n"));
        put("mixed", mine, 0644);
        assert_int_equal(tcn_request_read(at("mixed"), &request, &fault), TCN_BAD_SIGNATURE);
    }
    get("mine", mine, sizeof(mine));
    replace(mine, sizeof(mine), "name cert-fi", "name cert-fo");
    put("mixed", mine, 0644);
    assert_int_equal(tcn_request_read(at("mixed"), &request, &fault), TCN_BAD_SIGNATURE);
    assert_non_null(strstr(fault.text, "ask for it again"));
    assert_string_equal(request.name, "before");
}

/* Rightly signed, with a transport or seal key that agrees on the same secret with everyone. */
static void test_request_with_a_useless_key(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        tcn_member_keys keys = known_keys();
        tcn_request request;
        tcn_publics publics;
        tcn_signature proof;
        tcn_buf message;
        char text[1000], hex[4][129];
        tcn_secrets_publics(&keys.secrets, &publics);
        memset(i == 0 ? publics.transport.b : publics.seal.b, 0, 32);
        tcn_buf_init(&message, 1000);
        const tcn_bytes parts[] = {tcn_bytes_str("tocsin/1/request"), tcn_bytes_str("cert-fi"),
                                   tcn_bytes_of(publics.sign.b, 32),
                                   tcn_bytes_of(publics.transport.b, 32),
                                   tcn_bytes_of(publics.seal.b, 32)};
        for (size_t p = 0; p < COUNT(parts); p++)
            assert_int_equal(tcn_buf_append(&message, parts[p]), TCN_OK);
        tcn_sign(&keys.secrets.sign, tcn_buf_bytes(&message), &proof);
        tcn_buf_fini(&message);
        tcn_hex(publics.sign.b, 32, hex[0]);
        tcn_hex(publics.transport.b, 32, hex[1]);
        tcn_hex(publics.seal.b, 32, hex[2]);
        tcn_hex(proof.b, 64, hex[3]);
        (void)snprintf(text, sizeof(text),
                       "tocsin-request 1\nname cert-fi\nsign %s\ntransport %s\nseal %s\nproof %s\n",
                       hex[0], hex[1], hex[2], hex[3]);
        put("useless.request", text, 0644);
        assert_int_equal(tcn_request_read(at("useless.request"), &request, &fault), TCN_MALFORMED);
        assert_non_null(strstr(fault.text, "protects nothing"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_member_keys_both_ways),
        cmocka_unit_test(test_member_keys_are_never_overwritten),
        cmocka_unit_test(test_member_keys_want_a_name),
        cmocka_unit_test(test_open_secret_files_are_refused),
        cmocka_unit_test(test_comments_and_order_are_free),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_not_even_text),
        cmocka_unit_test(test_authority_both_ways),
        cmocka_unit_test(test_request_both_ways),
        cmocka_unit_test(test_proof_binds_name_and_keys),
        cmocka_unit_test(test_request_with_a_useless_key),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
