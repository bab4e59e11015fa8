/* Double SHA-256 of one message. */
#include <string.h>

#include "hashing.h"
#include "kernels.h"

/* SHA-256 of `size` bytes: whole blocks in place, then the rest with its padding. */
static void sha256(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size)
{
    const size_t whole = size / BLOCK, rest = size % BLOCK;
    uint32_t state[8];
    uint8_t tail[2 * BLOCK];

    memcpy(state, SHA256_IV, sizeof state);
    if (whole != 0)
        kernel->compress(state, data, whole);
    kernel->compress(state, tail, sha256_tail(tail, rest != 0 ? data + whole * BLOCK : NULL, rest, size));
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, state[i]);
}

void sha256d_with(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size)
{
    uint8_t once[DIGEST];

    sha256(kernel, once, data, size);
    sha256(kernel, out, once, sizeof once);
}

void pychain_sha256d(uint8_t out[32], const uint8_t *data, size_t size)
{
    sha256d_with(sha256_kernel(), out, data, size);
}
