/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - Ed25519, Curve25519 and BLAKE2b through libsodium; Z85 by hand (no zmq.h here).
 * Owns:    every use of libsodium's signing and key generation in this library.
 * Threads: all functions are safe once tcn_keys_init has returned. */
#include "keys.h"

#include <sodium.h>
#include <string.h>

tcn_err tcn_keys_init(void)
{
    /* 1 means that it was done before; -1 that there is no random source. */
    return sodium_init() < 0 ? TCN_IO : TCN_OK;
}

/* ---- making and wiping ---- */

static void box_generate(tcn_box_secret *ret_secret)
{
    tcn_box_public unused;
    crypto_box_keypair(unused.b, ret_secret->b);
}

void tcn_secrets_generate(tcn_secrets *ret_secrets)
{
    tcn_sign_generate(&ret_secrets->sign);
    box_generate(&ret_secrets->transport);
    box_generate(&ret_secrets->seal);
}

void tcn_secrets_fini(tcn_secrets *secrets)
{
    if (secrets != NULL)
        sodium_memzero(secrets, sizeof(*secrets));
}

void tcn_secrets_publics(const tcn_secrets *secrets, tcn_publics *ret_publics)
{
    tcn_sign_public_of(&secrets->sign, &ret_publics->sign);
    /* Fails for no input: base point multiplication clamps the scalar. */
    (void)crypto_scalarmult_base(ret_publics->transport.b, secrets->transport.b);
    (void)crypto_scalarmult_base(ret_publics->seal.b, secrets->seal.b);
}

void tcn_sign_generate(tcn_sign_secret *ret_secret)
{
    tcn_sign_public unused;
    crypto_sign_keypair(unused.b, ret_secret->b);
}

void tcn_sign_fini(tcn_sign_secret *secret)
{
    if (secret != NULL)
        sodium_memzero(secret, sizeof(*secret));
}

void tcn_sign_public_of(const tcn_sign_secret *secret, tcn_sign_public *ret_public)
{
    memcpy(ret_public->b, secret->b + crypto_sign_SEEDBYTES, sizeof(ret_public->b));
}

void tcn_sign_from_seed(const uint8_t seed[static 32], tcn_sign_secret *ret_secret)
{
    tcn_sign_public unused;
    crypto_sign_seed_keypair(unused.b, ret_secret->b, seed);
}

/* ---- using ---- */

tcn_id tcn_kid(const tcn_sign_public *key)
{
    tcn_hash hash = tcn_hash_of(tcn_bytes_of(key->b, sizeof(key->b)));
    tcn_id kid;
    memcpy(kid.b, hash.b, sizeof(kid.b));
    return kid;
}

void tcn_sign(const tcn_sign_secret *secret, tcn_bytes message, tcn_signature *ret_signature)
{
    crypto_sign_detached(ret_signature->b, NULL, message.ptr, message.len, secret->b);
}

bool tcn_verify(const tcn_sign_public *key, tcn_bytes message, const tcn_signature *signature)
{
    return crypto_sign_verify_detached(signature->b, message.ptr, message.len, key->b) == 0;
}

bool tcn_box_public_is_usable(const tcn_box_public *key)
{
    /* Any scalar will do: libsodium refuses the point, not the product. */
    static const uint8_t scalar[crypto_scalarmult_SCALARBYTES] = {8};
    uint8_t product[crypto_scalarmult_BYTES];
    return crypto_scalarmult(product, scalar, key->b) == 0;
}

tcn_id tcn_audience_mark(const tcn_id *alert, const tcn_id *audience_id)
{
    uint8_t both[sizeof(alert->b) + sizeof(audience_id->b)];
    memcpy(both, alert->b, sizeof(alert->b));
    memcpy(both + sizeof(alert->b), audience_id->b, sizeof(audience_id->b));
    tcn_id mark;
    crypto_generichash_blake2b(mark.b, sizeof(mark.b), both, sizeof(both), NULL, 0);
    /* The audience id is the member's secret: whoever has it can name the member. */
    sodium_memzero(both, sizeof(both));
    return mark;
}

void tcn_z85(const tcn_box_public *key, char ret_text[static 41])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    for (size_t i = 0; i < sizeof(key->b); i += 4) {
        uint32_t value = (uint32_t)key->b[i] << 24 | (uint32_t)key->b[i + 1] << 16 |
                         (uint32_t)key->b[i + 2] << 8 | key->b[i + 3];
        for (int d = 4; d >= 0; d--) {
            ret_text[i / 4 * 5 + (size_t)d] = digits[value % 85];
            value /= 85;
        }
    }
    ret_text[40] = '\0';
}
