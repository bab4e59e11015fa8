/* The proof-of-work search: which nonces give a header a double hash at or under the target. */
#include <string.h>

#include "hashing.h"
#include "kernels.h"
#include "lanes_scalar.h"

enum {
    HEADER = 80,
    NONCE_AT = 76,
    POLL = 1024, /* batches between two reads of the stop flag: about half a millisecond in every kernel */
};

static void store_le32(uint8_t *p, uint32_t x)
{
    store_be32(p, byte_swap(x));
}

/* Four rounds of the header's second block with nonce 0; its nonce is the fourth word, and only adds to a and to e. */
static void four_rounds(uint32_t state[8], const struct search_job *job)
{
    uint32_t a = job->midstate[0], b = job->midstate[1], c = job->midstate[2], d = job->midstate[3];
    uint32_t e = job->midstate[4], f = job->midstate[5], g = job->midstate[6], h = job->midstate[7];

    for (int t = 0; t < 4; t++) {
        const uint32_t t1 = h + BIG1(e) + CH(e, f, g) + SHA256_K[t] + job->tail[t], t2 = BIG0(a) + MAJ(a, b, c);

        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] = a, state[1] = b, state[2] = c, state[3] = d;
    state[4] = e, state[5] = f, state[6] = g, state[7] = h;
}

static void prepare(struct search_job *job, const struct sha256_kernel *kernel, const uint8_t header[HEADER],
                    const uint8_t target[DIGEST])
{
    uint32_t *const midstate = job->midstate, *const tail = job->tail, *const u = job->uniforms;

    memcpy(midstate, SHA256_IV, sizeof job->midstate);
    kernel->compress(midstate, header, 1);
    for (int i = 0; i < 3; i++)
        tail[i] = load_be32(header + BLOCK + 4 * i);
    tail[3] = 0;
    four_rounds(job->state4, job);
#include "generated/search_prologue.inc"
    job->bound = byte_swap(load_be32(target + DIGEST - 4));
}

/* hash <= target as 256-bit little-endian integers. */
static int at_most(const uint8_t hash[DIGEST], const uint8_t target[DIGEST])
{
    for (int i = DIGEST - 1; i >= 0; i--)
        if (hash[i] != target[i])
            return hash[i] < target[i];
    return 1;
}

/* A header being searched: its job for each version, and the data to confirm a candidate. */
struct search {
    const struct sha256_kernel *kernel;
    uint8_t header[HEADER];
    const uint8_t *target;
    const uint32_t *versions;
    size_t version_count;
    struct search_job jobs[MAX_VERSIONS];
};

/* Whether a candidate meets the target: the kernels compare only the most significant word. */
static int meets(struct search *search, uint32_t version, uint32_t nonce)
{
    uint8_t hash[DIGEST];

    store_le32(search->header, version);
    store_le32(search->header + NONCE_AT, nonce);
    sha256d_with(search->kernel, hash, search->header, HEADER);
    return at_most(hash, search->target);
}

/* Write the hits among the candidates of a batch that begins at `nonce`, of which `lanes` are in the range, until
 * there is no room for more. Returns the hashes up to the last hit in that case, else those of the batch. */
static uint64_t confirm(struct search *search, const uint32_t *candidates, uint32_t nonce, uint64_t lanes,
                        pychain_hit *hits, size_t room, size_t *found)
{
    for (uint32_t lane = 0; lane < lanes; lane++)
        for (uint32_t i = 0; i < search->version_count; i++)
            if (candidates[i] >> lane & 1 && meets(search, search->versions[i], nonce + lane)) {
                hits[(*found)++] = (pychain_hit){nonce + lane, i};
                if (*found == room)
                    return lane * search->version_count + i + 1;
            }
    return lanes * search->version_count;
}

static uint64_t least(uint64_t x, uint64_t most)
{
    return x < most ? x : most;
}

pychain_search_result search_with(const struct sha256_kernel *kernel, pychain_hit *hits, size_t room,
                                  const uint8_t header[80], const uint32_t *versions, size_t version_count,
                                  const uint8_t target[32], uint64_t start, uint64_t count, const uint8_t *stop)
{
    const uint64_t lanes = kernel->scan_lanes, end = start + count;
    struct search search = {.kernel = kernel, .target = target, .versions = versions, .version_count = version_count};
    pychain_search_result result = {0, 0};
    uint32_t candidates[MAX_VERSIONS];

    memcpy(search.header, header, HEADER);
    for (size_t i = 0; i < version_count; i++) {
        store_le32(search.header, versions[i]);
        prepare(&search.jobs[i], kernel, search.header, target);
    }
    while (start < end && result.hits < room && !(stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED))) {
        const uint64_t batches = least((end - start + lanes - 1) / lanes, POLL / version_count);
        const uint64_t batch = kernel->scan(search.jobs, version_count, (uint32_t)start, batches, candidates);
        const uint64_t clear = least(batch * lanes, end - start); /* nonces without a candidate */

        start += clear;
        result.hashes += clear * version_count;
        if (batch < batches) {
            const uint64_t in_range = least(lanes, end - start);
            result.hashes += confirm(&search, candidates, (uint32_t)start, in_range, hits, room, &result.hits);
            start += in_range;
        }
    }
    return result;
}

pychain_search_result pychain_search(pychain_hit *hits, size_t room, const uint8_t header[80], const uint32_t *versions,
                                     size_t version_count, const uint8_t target[32], uint64_t start, uint64_t count,
                                     const uint8_t *stop)
{
    return search_with(sha256_kernel(), hits, room, header, versions, version_count, target, start, count, stop);
}
