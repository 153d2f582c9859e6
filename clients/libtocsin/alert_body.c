/* SPDX-License-Identifier: Apache-2.0 */
/* alert_body.c - bodies as they travel: identity, or one zstd frame (RFC 8878) that can be neither
 * a bomb nor a memory hog: what it asks for is read from its header before memory is taken. */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "alert.h"

/* ---- encoding ---- */

static tcn_err compress(tcn_bytes decoded, int level, uint8_t *ret_bytes, size_t cap,
                        size_t *ret_len)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (zstd == NULL)
        return TCN_NO_MEMORY;
    size_t len = ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(len))
        len = ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, TCN_MAX_ZSTD_WINDOW_LOG);
    if (!ZSTD_isError(len))
        len = ZSTD_compress2(zstd, ret_bytes, cap, decoded.ptr, decoded.len);
    ZSTD_freeCCtx(zstd);
    if (ZSTD_isError(len))
        return ZSTD_getErrorCode(len) == ZSTD_error_dstSize_tooSmall ? TCN_TOO_LARGE
                                                                     : TCN_NO_MEMORY;
    *ret_len = len;
    return TCN_OK;
}

tcn_err tcn_body_encode(tcn_bytes decoded, int level, tcn_encoding *ret_encoding,
                        uint8_t **ret_bytes, size_t *ret_len)
{
    if (decoded.len > TCN_MAX_BODY_BYTES_MAX)
        return TCN_TOO_LARGE;
    /* Room for what is worth it: a frame that does not fit saves too little. */
    size_t cap = decoded.len - (decoded.len + 7) / 8, len = 0;
    uint8_t *bytes = malloc(cap + 1);
    if (bytes == NULL)
        return TCN_NO_MEMORY;
    tcn_err err = compress(decoded, level, bytes, cap, &len);
    /* More than the ratio would be refused as a bomb, however honest. */
    if (err == TCN_OK && decoded.len <= TCN_MAX_BODY_RATIO * len) {
        *ret_encoding = TCN_ENCODING_ZSTD;
        *ret_bytes = bytes;
        *ret_len = len;
        return TCN_OK;
    }
    free(bytes);
    if (err == TCN_NO_MEMORY)
        return err;
    err = tcn_bytes_copy(decoded, ret_bytes);
    if (err == TCN_OK) {
        *ret_encoding = TCN_ENCODING_IDENTITY;
        *ret_len = decoded.len;
    }
    return err;
}

/* ---- decoding ---- */

/* RFC 8878 §3.1.1.1: the frame's header descriptor says whether a window descriptor follows;
 * without one the window is the content's size. */
static uint64_t window_of(tcn_bytes frame, uint64_t content_size)
{
    enum { MAGIC_BYTES = 4, SINGLE_SEGMENT = 1 << 5 };
    if ((frame.ptr[MAGIC_BYTES] & SINGLE_SEGMENT) != 0)
        return content_size;
    uint8_t descriptor = frame.ptr[MAGIC_BYTES + 1];
    uint64_t base = UINT64_C(1) << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7);
}

/* Exactly one zstd frame, of a version, size and window that we take? */
static tcn_err check_frame(tcn_bytes frame, uint64_t decoded_size)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    /* zstd itself also takes skippable and legacy frames. */
    if (frame.len < 6 || memcmp(frame.ptr, magic, sizeof(magic)) != 0)
        return TCN_MALFORMED;
    unsigned long long size = ZSTD_getFrameContentSize(frame.ptr, frame.len);
    if (size == ZSTD_CONTENTSIZE_ERROR ||
        (size != ZSTD_CONTENTSIZE_UNKNOWN && size != decoded_size))
        return TCN_MALFORMED;
    if (window_of(frame, decoded_size) > UINT64_C(1) << TCN_MAX_ZSTD_WINDOW_LOG)
        return TCN_TOO_LARGE;
    size_t frame_len = ZSTD_findFrameCompressedSize(frame.ptr, frame.len);
    return !ZSTD_isError(frame_len) && frame_len == frame.len ? TCN_OK : TCN_MALFORMED;
}

static tcn_err decompress(tcn_bytes frame, uint8_t *ret_bytes, size_t decoded_size)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    if (zstd == NULL)
        return TCN_NO_MEMORY;
    ZSTD_inBuffer in = {frame.ptr, frame.len, 0};
    ZSTD_outBuffer out = {ret_bytes, decoded_size, 0};
    size_t left = ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, TCN_MAX_ZSTD_WINDOW_LOG);
    bool moves = true;
    while (!ZSTD_isError(left) && moves) {
        size_t before = in.pos + out.pos;
        left = ZSTD_decompressStream(zstd, &out, &in);
        /* 0 is the frame's end; without progress it wants what is not there. */
        moves = left != 0 && in.pos + out.pos > before;
    }
    ZSTD_freeDCtx(zstd);
    if (ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
        return TCN_NO_MEMORY;
    return left == 0 && in.pos == in.size && out.pos == decoded_size ? TCN_OK : TCN_MALFORMED;
}

tcn_err tcn_body_decode(tcn_bytes encoded, tcn_encoding encoding, uint64_t decoded_size,
                        uint64_t max_bytes, uint8_t **ret_bytes)
{
    if (decoded_size > max_bytes || decoded_size > TCN_MAX_BODY_BYTES_MAX)
        return TCN_TOO_LARGE;
    if (encoding == TCN_ENCODING_IDENTITY)
        return encoded.len == decoded_size ? tcn_bytes_copy(encoded, ret_bytes) : TCN_MALFORMED;
    if (encoding != TCN_ENCODING_ZSTD)
        return TCN_MALFORMED;
    if (decoded_size > TCN_MAX_BODY_RATIO * (uint64_t)encoded.len)
        return TCN_TOO_LARGE;
    tcn_err err = check_frame(encoded, decoded_size);
    if (err != TCN_OK)
        return err;
    uint8_t *bytes = malloc((size_t)decoded_size + 1);
    if (bytes == NULL)
        return TCN_NO_MEMORY;
    err = decompress(encoded, bytes, (size_t)decoded_size);
    if (err != TCN_OK) {
        free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    return TCN_OK;
}
