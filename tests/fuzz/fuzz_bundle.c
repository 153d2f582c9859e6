/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bundle.c - any bytes as a bundle's payload. Who is in it is found. */
#include <stdlib.h>

#include "libtocsin/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_all(const tcn_bundle *bundle)
{
    for (size_t i = 0; i < bundle->issuers; i++) {
        const tcn_issuer *issuer = &bundle->issuer[i];
        if (tcn_bundle_issuer(bundle, tcn_bytes_str(issuer->name)) != issuer)
            abort();
        for (unsigned k = 0; k < issuer->keys; k++) {
            unsigned key;
            if (tcn_bundle_signer(bundle, &issuer->key[k].kid, &key) != issuer || key != k)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tcn_bundle bundle;
    uint8_t *payload = NULL;
    size_t len;
    if (tcn_bundle_decode(tcn_bytes_of(data, size), &bundle, NULL) != TCN_OK)
        return 0;
    if (tcn_cbor_check(tcn_bytes_of(data, size), 64) != TCN_OK ||
        tcn_bundle_encode(&bundle, &payload, &len, NULL) != TCN_OK)
        abort();
    find_all(&bundle);
    free(payload);
    tcn_bundle_fini(&bundle);
    return 0;
}
