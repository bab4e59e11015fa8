/* Double SHA-256 of one message, and merkle trees, on any kernel. */
#include <string.h>

#include "sha256.h"

/* SHA-256 of `size` bytes: whole blocks where they lie, then the rest with its padding. */
static void sha256(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size)
{
    const size_t whole = size / BLOCK, rest = size % BLOCK;
    uint32_t state[8];
    uint8_t tail[2 * BLOCK];

    memcpy(state, SHA256_IV, sizeof state);
    if (whole != 0)
        kernel->compress(state, data, whole);
    if (rest != 0)
        memcpy(tail, data + whole * BLOCK, rest);
    kernel->compress(state, tail, sha256_pad(tail, rest, size));
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, state[i]);
}

void sha256d_with(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size)
{
    uint8_t once[DIGEST];

    sha256(kernel, once, data, size);
    sha256(kernel, out, once, sizeof once);
}

/* Whether two neighbours that will be hashed together are equal: the mark of a list whose tail was repeated. */
static int has_equal_pair(const uint8_t *nodes, size_t count)
{
    for (size_t i = 0; i + 1 < count; i += 2) {
        const uint8_t *const left = nodes + i * DIGEST, *const right = left + DIGEST;

        if (left[0] == right[0] && memcmp(left, right, DIGEST) == 0)
            return 1;
    }
    return 0;
}

int merkle_with(const struct sha256_kernel *kernel, uint8_t root[DIGEST], const uint8_t *leaves, size_t count,
                uint8_t *scratch)
{
    const uint8_t *level = leaves;
    int mutated = 0;

    while (count > 1) {
        mutated |= has_equal_pair(level, count);
        /* In place from the second level on: hash i replaces bytes of pairs up to i alone, which are read by then. */
        records_with(kernel, scratch, level, PAIR, count / 2);
        if (count % 2 != 0) { /* an odd last node is its own partner */
            uint8_t pair[PAIR];

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

void pychain_sha256d(uint8_t out[32], const uint8_t *data, size_t size)
{
    sha256d_with(sha256_kernel(), out, data, size);
}

int pychain_merkle_root(uint8_t root[32], const uint8_t *leaves, size_t count, uint8_t *scratch)
{
    return merkle_with(sha256_kernel(), root, leaves, count, scratch);
}
