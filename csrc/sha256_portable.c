/* SHA-256 in plain C: the kernel of every machine without a better one, and the constants that all kernels use. */
#include "kernels.h"
#include "lanes_scalar.h"
#include "rounds.h"

const uint32_t SHA256_IV[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

const uint32_t SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

const uint32_t PADDING_64_WK[64] = {
#include "generated/padding_64.inc"
};

static void compress(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count != 0; count--, blocks += BLOCK) {
        uint32_t w[16];

        for (int i = 0; i < 16; i++)
            w[i] = load_be32(blocks + 4 * i);
        fold_words(state, w);
    }
}

/* The most significant word of the hash of a nonce. */
static uint32_t hash_nonce(const struct search_job *job, uint32_t first)
{
    const uint32_t *const u = job->uniforms;
    const V nonce = byte_swap(first);
    V d0, d1, d2, d3, d4, d5, d6, d7, h7;
#include "generated/search_first.inc"
    const V s0 = d0, s1 = d1, s2 = d2, s3 = d3, s4 = d4, s5 = d5, s6 = d6, s7 = d7;
#include "generated/search_second.inc"
    return byte_swap(h7);
}

static uint64_t scan(const struct search_job *jobs, size_t versions, uint32_t first, uint64_t batches,
                     uint32_t *candidates)
{
    for (uint64_t batch = 0; batch < batches; batch++, first++) {
        uint32_t any = 0;

        for (size_t i = 0; i < versions; i++)
            any |= candidates[i] = hash_nonce(&jobs[i], first) <= jobs->bound;
        if (any != 0)
            return batch;
    }
    return batches;
}

const struct sha256_kernel SHA256_PORTABLE = {
    .name = "sha256:portable",
    .compress = compress,
    .scan_lanes = 1,
    .scan = scan,
};
