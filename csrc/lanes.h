/* Search and many-message hashing for one instruction set, LANES words side by side.
 *
 * Each includer defines, for its vector type V of LANES 32-bit words:
 *   TARGET                          the function attribute that allows its instructions
 *   ADD SET BIG0 BIG1 SMALL0 SMALL1 CH MAJ   what the generated code calls
 *   RAMP()                          0, 1, 2, ... in the lanes
 *   BYTE_SWAP(x)                    each word with its bytes reversed
 *   AT_MOST(x, y)                   bit mask of the lanes where x <= y, unsigned
 *   GET_PIECES(p, j, at)            16 bytes at p[j] + at, at p[j + 4] + at, ..., one after the other
 *   PUT_PIECES(p, j, at, x)         the same back
 *   EQUAL(x, y)                     bit mask of the lanes where x = y
 *   LOW32 HIGH32 LOW64 HIGH64       unpack within each 16 bytes, as SSE2's punpck instructions
 */
#include <string.h>

#include "sha256.h"

enum { STAGE = 16 }; /* batches between the two halves of the search: 8 KB of digests at most */

#if defined(__GNUC__) && !defined(__clang__)
/* GCC would rebalance the long sums and so lengthen the critical path that the generator's order keeps short. */
#pragma GCC optimize("no-tree-reassoc", "no-schedule-insns2")
#endif

#include "rounds.h"

#define LANE_FUNCTION TARGET static inline __attribute__((always_inline))

/* A 4 by 4 transposition in each group of 16 bytes. */
LANE_FUNCTION void transpose(V *a, V *b, V *c, V *d)
{
    const V ab_low = LOW32(*a, *b), ab_high = HIGH32(*a, *b), cd_low = LOW32(*c, *d), cd_high = HIGH32(*c, *d);

    *a = LOW64(ab_low, cd_low);
    *b = HIGH64(ab_low, cd_low);
    *c = LOW64(ab_high, cd_high);
    *d = HIGH64(ab_high, cd_high);
}

/* Word t of each lane's block in w[t]. */
LANE_FUNCTION void load_blocks(V w[16], const uint8_t *const block[LANES])
{
    for (int t = 0; t < 16; t += 4) {
        for (int j = 0; j < 4; j++)
            w[t + j] = BYTE_SWAP(GET_PIECES(block, j, 4 * t));
        transpose(&w[t], &w[t + 1], &w[t + 2], &w[t + 3]);
    }
}

/* Each lane's digest, of which s[t] has word t, to its own place. */
LANE_FUNCTION void store_digests(uint8_t *const out[LANES], V s[8])
{
    for (int t = 0; t < 8; t += 4) {
        transpose(&s[t], &s[t + 1], &s[t + 2], &s[t + 3]);
        for (int j = 0; j < 4; j++)
            PUT_PIECES(out, j, 4 * t, BYTE_SWAP(s[t + j]));
    }
}

TARGET static void fold_blocks(V s[8], const uint8_t *const block[LANES])
{
    V w[16];

    load_blocks(w, block);
    fold_words(s, w);
}

/* Fold the padding of a message of 64 bytes. */
TARGET static void fold_padding(V s[8])
{
    STATE_TO_VARIABLES;

    for (const uint32_t *wk = PADDING_64_WK; wk != PADDING_64_WK + 64; wk += 8)
        EIGHT_ROUNDS(KNOWN, 0);
    ADD_VARIABLES_TO_STATE;
}

#define PUT_DIGEST(digest)                                              \
    do {                                                                \
        digest[0] = d0, digest[1] = d1, digest[2] = d2, digest[3] = d3; \
        digest[4] = d4, digest[5] = d5, digest[6] = d6, digest[7] = d7; \
    } while (0)

/* Replace the digests by their hashes. */
TARGET static void hash_again(V s[8])
{
    STATE_TO_VARIABLES;
    V d0, d1, d2, d3, d4, d5, d6, d7;
#include "generated/final_hash.inc"
    PUT_DIGEST(s);
}

LANE_FUNCTION void set_iv(V s[8])
{
    for (int i = 0; i < 8; i++)
        s[i] = SET(SHA256_IV[i]);
}

TARGET static void many(uint8_t *const out[], const uint8_t *const blocks[], size_t count)
{
    V s[8];

    set_iv(s);
    for (size_t k = 0; k < count; k++)
        fold_blocks(s, blocks + k * LANES);
    hash_again(s);
    store_digests(out, s);
}

/* Whether the two digests of any lane's pair are equal. Equal first words are rare. */
LANE_FUNCTION int has_equal_halves(const V w[16])
{
    uint32_t lanes = EQUAL(w[0], w[8]);

    for (int i = 1; __builtin_expect(lanes != 0, 0) && i < 8; i++)
        lanes &= EQUAL(w[i], w[8 + i]);
    return lanes != 0;
}

/* The double hash of each lane's pair of digests. */
LANE_FUNCTION void hash_pair(V s[8], V w[16])
{
    set_iv(s);
    fold_words(s, w);
    fold_padding(s);
    hash_again(s);
}

/* A subtree in each lane, depth first: a node waits in its lane for its sibling, so that only leaves and roots are
 * transposed. */
TARGET static int subtrees(uint8_t *out, const uint8_t *leaves, unsigned levels)
{
    const uint8_t *block[LANES];
    uint8_t *root[LANES];
    V waiting[MAX_LEVELS][8], w[16], s[8];
    int mutated = 0;

    for (size_t i = 0; i < LANES; i++) {
        block[i] = leaves + (i * DIGEST << levels);
        root[i] = out + i * DIGEST;
    }
    for (size_t pair = 0; pair < (size_t)1 << (levels - 1); pair++) {
        unsigned level = 0;

        load_blocks(w, block);
        for (size_t i = 0; i < LANES; i++)
            block[i] += PAIR;
        for (;; level++) {
            mutated |= has_equal_halves(w);
            hash_pair(s, w);
            if (!(pair >> level & 1))
                break;
            for (int i = 0; i < 8; i++)
                w[i] = waiting[level][i], w[8 + i] = s[i];
        }
        memcpy(waiting[level], s, sizeof s);
    }
    store_digests(root, s);
    return mutated;
}

TARGET static void pairs(uint8_t *out, const uint8_t *pairs)
{
    subtrees(out, pairs, 1);
}

/* The nonces of a batch as the header's word holds them, and the lanes of a second hash that are candidates. */
#define NONCES(first) BYTE_SWAP(ADD(SET(first), RAMP()))
#define CANDIDATES(h7, bound) AT_MOST(BYTE_SWAP(h7), SET(bound))

/* Hash 2 of a digest, as the bit mask of its candidates. */
LANE_FUNCTION uint32_t second_hash(const V digest[8], uint32_t bound)
{
    const V s0 = digest[0], s1 = digest[1], s2 = digest[2], s3 = digest[3];
    const V s4 = digest[4], s5 = digest[5], s6 = digest[6], s7 = digest[7];
    V h7;
#include "generated/search_second.inc"
    return CANDIDATES(h7, bound);
}

/* Hash 1 of a few batches, then hash 2 of them: the code of one hash at a time stays in the fastest caches. */
TARGET static uint64_t scan_one_version(const struct search_job *job, uint32_t first, uint64_t batches,
                                        uint32_t *candidates)
{
    const uint32_t *const u = job->uniforms;
    V digests[STAGE][8];

    for (uint64_t batch = 0; batch < batches; batch += STAGE) {
        const uint64_t stage = batches - batch < STAGE ? batches - batch : STAGE;

        for (uint64_t i = 0; i < stage; i++, first += LANES) {
            const V nonce = NONCES(first);
            V d0, d1, d2, d3, d4, d5, d6, d7;
#include "generated/search_first.inc"
            PUT_DIGEST(digests[i]);
        }
        for (uint64_t i = 0; i < stage; i++) {
            *candidates = second_hash(digests[i], job->bound);
            if (__builtin_expect(*candidates != 0, 0))
                return batch + i;
        }
    }
    return batches;
}

/* The same batch under each version: they share the schedule of hash 1, a sixth of all operations. */
TARGET static uint64_t scan_versions(const struct search_job *jobs, size_t versions, uint32_t first, uint64_t batches,
                                     uint32_t *candidates)
{
    V digests[STAGE][8], wk[64];

    for (uint64_t batch = 0; batch < batches; batch++, first += LANES) {
        const V nonce = NONCES(first);
        uint32_t any = 0;

        {
            const uint32_t *const u = jobs->uniforms;
#include "generated/search_schedule.inc"
        }
        for (size_t done = 0; done < versions; done += STAGE) {
            const size_t stage = versions - done < STAGE ? versions - done : STAGE;

            for (size_t i = 0; i < stage; i++) {
                const uint32_t *const u = jobs[done + i].uniforms;
                V d0, d1, d2, d3, d4, d5, d6, d7;
#include "generated/search_rounds.inc"
                PUT_DIGEST(digests[i]);
            }
            for (size_t i = 0; i < stage; i++)
                any |= candidates[done + i] = second_hash(digests[i], jobs->bound);
        }
        if (__builtin_expect(any != 0, 0))
            return batch;
    }
    return batches;
}

TARGET static uint64_t scan(const struct search_job *jobs, size_t versions, uint32_t first, uint64_t batches,
                            uint32_t *candidates)
{
    return versions == 1 ? scan_one_version(jobs, first, batches, candidates)
                         : scan_versions(jobs, versions, first, batches, candidates);
}
