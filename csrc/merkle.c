/* Merkle trees: as many levels at once as the kernel can compute. */
#include <string.h>

#include "hashing.h"
#include "kernels.h"

/* Whether two nodes that will be hashed together are equal: the sign of a list with a repeated tail. */
static int has_equal_pair(const uint8_t *nodes, size_t count)
{
    for (size_t i = 0; i + 1 < count; i += 2) {
        const uint8_t *const left = nodes + i * DIGEST, *const right = left + DIGEST;

        if (left[0] == right[0] && memcmp(left, right, DIGEST) == 0)
            return 1;
    }
    return 0;
}

/* The level above `count` nodes. It may replace them: hash i only overwrites pairs up to i, which are read by then.
 * Returns whether two siblings are equal. */
static int climb(const struct sha256_kernel *kernel, uint8_t *out, const uint8_t *nodes, size_t count)
{
    const int mutated = has_equal_pair(nodes, count);

    records_with(kernel, out, nodes, PAIR, count / 2);
    if (count % 2 != 0) { /* an odd last node is its own partner */
        uint8_t pair[PAIR];

        memcpy(pair, nodes + (count - 1) * DIGEST, DIGEST);
        memcpy(pair + DIGEST, pair, DIGEST);
        sha256d_with(kernel, out + count / 2 * DIGEST, pair, sizeof pair);
    }
    return mutated;
}

/* Levels computed at once by whole subtrees in every lane; 1 if there are too few nodes. */
static unsigned levels_at_once(const struct sha256_kernel *kernel, size_t count)
{
    unsigned levels = kernel->subtrees != NULL ? MAX_LEVELS : 1;

    while (levels > 1 && count < kernel->lanes << levels)
        levels--;
    return levels;
}

int merkle_with(const struct sha256_kernel *kernel, uint8_t root[DIGEST], const uint8_t *leaves, size_t count,
                uint8_t *scratch)
{
    const uint8_t *nodes = leaves;
    int mutated = 0;

    while (count > 1) {
        const unsigned levels = levels_at_once(kernel, count);
        const size_t roots = kernel->lanes, group = roots << levels;
        uint8_t *out = scratch;

        if (levels > 1)
            for (; count >= group; count -= group, nodes += group * DIGEST, out += roots * DIGEST)
                mutated |= kernel->subtrees(out, nodes, levels);
        /* The rest go up as many levels, the last one paired with itself. */
        for (unsigned level = 0; level < levels && count != 0; level++) {
            mutated |= climb(kernel, out, nodes, count);
            count = (count + 1) / 2;
            nodes = out;
        }
        count += (size_t)(out - scratch) / DIGEST;
        nodes = scratch;
    }
    memcpy(root, nodes, DIGEST);
    return mutated;
}

int pychain_merkle_root(uint8_t root[32], const uint8_t *leaves, size_t count, uint8_t *scratch)
{
    return merkle_with(sha256_kernel(), root, leaves, count, scratch);
}
