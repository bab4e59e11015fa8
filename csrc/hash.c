/* Double SHA-256 of whole messages and merkle trees, on any kernel. */
#include <string.h>

#include "sha256.h"

static void digest_bytes(uint8_t out[DIGEST], const uint32_t state[8])
{
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, state[i]);
}

/* SHA-256 of `size` bytes: whole blocks in place, then the rest with its padding (one block or two). */
static void sha256(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size)
{
    const size_t whole = size / BLOCK, rest = size % BLOCK, end = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    const uint64_t bits = (uint64_t)size * 8;
    uint32_t state[8];
    uint8_t tail[2 * BLOCK] = {0};

    memcpy(state, SHA256_IV, sizeof state);
    if (whole != 0)
        kernel->compress(state, data, whole);
    if (rest != 0)
        memcpy(tail, data + whole * BLOCK, rest);
    tail[rest] = 0x80;
    store_be32(tail + end - 8, (uint32_t)(bits >> 32));
    store_be32(tail + end - 4, (uint32_t)bits);
    kernel->compress(state, tail, end / BLOCK);
    digest_bytes(out, state);
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

int64_t pychain_sha256d_many(uint8_t *out, const uint8_t *data, size_t size, const uint32_t *offsets, size_t count)
{
    const struct sha256_kernel *kernel = sha256_kernel();

    for (size_t i = 0; i <= count; i++)
        if (offsets[i] > size || (i != 0 && offsets[i] < offsets[i - 1]))
            return (int64_t)i;
    for (size_t i = 0; i < count; i++)
        sha256d_with(kernel, out + i * DIGEST, data + offsets[i], offsets[i + 1] - offsets[i]);
    return -1;
}

void pychain_sha256d_records(uint8_t *out, const uint8_t *data, size_t size, size_t count)
{
    const struct sha256_kernel *kernel = sha256_kernel();

    for (size_t i = 0; i < count; i++)
        sha256d_with(kernel, out + i * DIGEST, data + i * size, size);
}

/* Whether two neighbours that will be hashed together are equal: the mark of a list whose tail was repeated. */
static int has_equal_pair(const uint8_t *nodes, size_t count)
{
    int found = 0;

    for (size_t i = 0; i + 1 < count; i += 2)
        found |= memcmp(nodes + i * DIGEST, nodes + (i + 1) * DIGEST, DIGEST) == 0;
    return found;
}

int pychain_merkle_root(uint8_t root[32], const uint8_t *leaves, size_t count, uint8_t *scratch)
{
    const struct sha256_kernel *kernel = sha256_kernel();
    const uint8_t *level = leaves;
    int mutated = 0;

    while (count > 1) {
        mutated |= has_equal_pair(level, count);
        for (size_t i = 0; i < count / 2; i++)
            sha256d_with(kernel, scratch + i * DIGEST, level + 2 * i * DIGEST, 2 * DIGEST);
        if (count % 2 != 0) { /* an odd last node is its own partner */
            uint8_t pair[2 * DIGEST];
            memcpy(pair, level + (count - 1) * DIGEST, DIGEST);
            memcpy(pair + DIGEST, pair, DIGEST);
            sha256d_with(kernel, scratch + count / 2 * DIGEST, pair, sizeof pair);
        }
        count = (count + 1) / 2;
        level = scratch;
    }
    memcpy(root, level, DIGEST);
    return mutated;
}
