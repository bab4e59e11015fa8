/* SHA-256 (FIPS 180-4): the interface of its kernels, and declarations shared with their callers. Internal to the core. */
#ifndef PYCHAIN_SHA256_H
#define PYCHAIN_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "generated/search_slots.h"
#include "pychain.h"

enum {
    BLOCK = 64,
    DIGEST = 32,
    PAIR = 2 * DIGEST,    /* an inner node of a merkle tree hashes two digests */
    MAX_LANES = 16,       /* messages that a kernel hashes side by side */
    MAX_LEVELS = 4,       /* of a merkle tree that a kernel computes at once */
    MAX_VERSIONS = PYCHAIN_MAX_VERSIONS,
    MAX_LANE_BLOCKS = 16, /* blocks of a message that goes into lanes; longer ones are hashed alone */
};

extern const uint32_t SHA256_IV[8];
extern const uint32_t SHA256_K[64];
extern const uint32_t PADDING_64_WK[64]; /* schedule plus constants of the block that ends a message of 64 bytes */

/* The data of a header under one version that a search computes before its first nonce. */
struct search_job {
    uint32_t midstate[8];            /* after the header's first block */
    uint32_t tail[4];                /* the words between that block and the nonce, and a zero in its place */
    uint32_t state4[8];              /* after four rounds of the second block with nonce 0 */
    uint32_t uniforms[SEARCH_SLOTS]; /* computed from the first two by generated/search_prologue.inc */
    uint32_t bound;                  /* most significant word of the target: the only word that the kernels test */
};

/* One way to compute SHA-256 on one family of CPUs. */
struct sha256_kernel {
    const char *name;
    unsigned needs; /* set of enum cpu_feature */

    /* Fold `count` blocks into `state`. NULL in a kernel that has only lanes: the best other kernel's is used. */
    void (*compress)(uint32_t state[8], const uint8_t *blocks, size_t count);

    /* Double hashes of `lanes` messages of `count` padded blocks each, of which block k of message i is at
     * blocks[k * lanes + i]. NULL in a kernel that hashes one message at a time. */
    size_t lanes;
    size_t worthwhile; /* messages from which a call of `many` beats hashing one by one */
    void (*many)(uint8_t *const out[], const uint8_t *const blocks[], size_t count);
    /* Double hashes of `lanes` messages of 64 bytes, back to back. */
    void (*pairs)(uint8_t *out, const uint8_t *pairs);
    /* Roots of `lanes` merkle trees, back to back, of 1 << levels leaves each, with 1 to MAX_LEVELS levels; returns
     * whether two siblings in them are equal. NULL in a kernel that gains nothing over going level by level. */
    int (*subtrees)(uint8_t *out, const uint8_t *leaves, unsigned levels);

    /* Hash nonces from `nonce` on, `scan_lanes` a batch, each under every version: jobs that differ in the header's
     * first block alone. Ends with the first batch that has a candidate, a hash whose most significant word is at most
     * the jobs' bound; returns that batch's index and sets bit i of candidates[v] for lane i under version v. If there
     * is none, returns `batches`, and the candidates mean nothing. Nonces wrap at 2^32. */
    unsigned scan_lanes;
    uint64_t (*scan)(const struct search_job *jobs, size_t versions, uint32_t nonce, uint64_t batches,
                     uint32_t *candidates);
};

/* Unroll the loop that follows; `n` is its number of iterations. */
#if defined(__clang__)
#define UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define UNROLL(n) UNROLL_PRAGMA(GCC unroll n)
#define UNROLL_PRAGMA(text) _Pragma(#text)
#endif

static inline uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be32(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

static inline uint32_t byte_swap(uint32_t x)
{
    return x >> 24 | (x >> 8 & 0xff00) | (x & 0xff00) << 8 | x << 24;
}

/* The end of a message in whole blocks: `rest` bytes that do not fill one, and the padding (FIPS 180-4, 5.1.1). Returns
 * the number of blocks in `tail`: one, or two if the length does not fit in the first. */
static inline size_t sha256_tail(uint8_t tail[2 * BLOCK], const uint8_t *data, size_t rest, uint64_t message_size)
{
    const size_t blocks = rest < BLOCK - 8 ? 1 : 2;

    UNROLL(8)
    for (int i = 0; i < 2 * BLOCK; i += 16)
        memset(tail + i, 0, 16); /* one store each: all at once would be a slow string instruction */
    if (rest != 0) /* `data` may be NULL then */
        memcpy(tail, data, rest);
    tail[rest] = 0x80;
    store_be32(tail + blocks * BLOCK - 8, (uint32_t)(message_size >> 29));
    store_be32(tail + blocks * BLOCK - 4, (uint32_t)(message_size << 3));
    return blocks;
}

#endif
